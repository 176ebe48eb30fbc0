// A circuit breaker whose state lies in shared memory, so that every thread checks the same one with one atomic load.
//
//   word 0   STATE      any thread, by compare-and-swap: state, epoch << 3. Each transition makes a new epoch, so the
//                       results of calls that began before it are known to be late, and are ignored
//   word 1   FAILURES   any thread: failures in a row
//   word 2   PROBES     any thread, by compare-and-swap: probes let through, epoch << 8
//   word 3   SUCCESSES  any thread, by compare-and-swap: probes that succeeded, epoch << 8
//   byte 16  OPENED_AT  who opens, before STATE: Clock.elapsed()
//   byte 24  PROBED_AT  who lets a probe through: Clock.elapsed()
//   word 8   failureThreshold, word 9 halfOpenProbes, byte 40 recoveryTimeoutMs: constant
import type { Clock } from './clock.js';
import { invalidOption } from './errors.js';

/** `half_open`: the recovery time is over, and probes decide. The last two are set by hand. */
export type CircuitState = 'closed' | 'open' | 'half_open' | 'forced_open' | 'disabled';

/** Options of a circuit breaker. */
export interface BreakerOptions {
  /** Failures in a row that open it, from 1 to 1 000 000. Default 5. */
  readonly failureThreshold?: number;
  /** How long it stays open before probes are let through, in milliseconds, more than 0. Default 60 000. */
  readonly recoveryTimeoutMs?: number;
  /** Calls let through while half open, all of which must succeed to close it, from 1 to 100. Default 1. */
  readonly halfOpenProbes?: number;
}

/** Lets one call through; give it back with the call's result. */
export interface Permit {
  readonly epoch: number;
  readonly isProbe: boolean;
}

const STATE = 0;
const FAILURES = 1;
const PROBES = 2;
const SUCCESSES = 3;
const OPENED_AT = 2;
const PROBED_AT = 3;
const THRESHOLD = 8;
const PROBE_LIMIT = 9;
const RECOVERY_MS = 5;
const BYTES = 48;

const CLOSED = 0;
const OPEN = 1;
const HALF_OPEN = 2;
const FORCED_OPEN = 3;
const DISABLED = 4;
const NAMES: readonly CircuitState[] = ['closed', 'open', 'half_open', 'forced_open', 'disabled'];
const EPOCHS = 0x7fffff;

/** One thread's half of a breaker. Runs on any thread. */
export class SharedBreaker {
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #clock: Clock;
  #permit: Permit = { epoch: 0, isProbe: false };

  /**
   * Memory for a closed breaker.
   *
   * @throws BUSBAR_INVALID_OPTION
   */
  static allocate(options: BreakerOptions = {}): SharedArrayBuffer {
    const { failureThreshold = 5, recoveryTimeoutMs = 60_000, halfOpenProbes = 1 } = options;
    assertCount('failureThreshold', failureThreshold, 1_000_000);
    assertCount('halfOpenProbes', halfOpenProbes, 100);
    if (typeof recoveryTimeoutMs !== 'number' || !(recoveryTimeoutMs > 0)) {
      throw invalidOption('recoveryTimeoutMs', 'a number of milliseconds > 0', recoveryTimeoutMs);
    }
    const memory = new SharedArrayBuffer(BYTES);
    const words = new Int32Array(memory);
    words[THRESHOLD] = failureThreshold;
    words[PROBE_LIMIT] = halfOpenProbes;
    new Float64Array(memory)[RECOVERY_MS] = recoveryTimeoutMs;
    return memory;
  }

  constructor(memory: SharedArrayBuffer, clock: Clock) {
    this.#words = new Int32Array(memory);
    this.#times = new Float64Array(memory);
    this.#clock = clock;
  }

  /** One atomic load, and the clock while open. */
  get state(): CircuitState {
    const state = this.#load() & 7;
    return NAMES[state === OPEN && this.#isDue() ? HALF_OPEN : state] as CircuitState;
  }

  /** Milliseconds until an open breaker lets a probe through; 0 when it is not open, or was opened by hand. */
  get retryAfterMs(): number {
    if ((this.#load() & 7) !== OPEN) return 0;
    return Math.max(
      0,
      (this.#times[OPENED_AT] as number) + (this.#times[RECOVERY_MS] as number) - this.#clock.elapsed(),
    );
  }

  /** False while calls are refused. One atomic load while closed. */
  admits(): boolean {
    const state = this.#load() & 7;
    if (state === CLOSED || state === DISABLED) return true;
    if (state === OPEN) return this.#isDue();
    return state === HALF_OPEN && (this.#probes(this.#load()) < this.#limit || this.#isStuck());
  }

  /** A permit for one call, or undefined when it is refused. */
  enter(): Permit | undefined {
    for (;;) {
      const word = this.#load();
      const state = word & 7;
      if (state === CLOSED || state === DISABLED) return this.#permitOf(word);
      if (state === HALF_OPEN && this.#claim(PROBES, word, this.#limit)) {
        this.#times[PROBED_AT] = this.#clock.elapsed();
        return { epoch: word >>> 3, isProbe: true };
      }
      if (!this.#mayProbe(state)) return undefined;
      this.#move(word, HALF_OPEN);
    }
  }

  /** The call succeeded. */
  success(permit: Permit): void {
    const word = this.#load();
    if (word >>> 3 !== permit.epoch) return;
    if (!permit.isProbe) {
      if (Atomics.load(this.#words, FAILURES) !== 0) Atomics.store(this.#words, FAILURES, 0);
      return;
    }
    this.#claim(SUCCESSES, word, this.#limit);
    if (this.#count(SUCCESSES, word) < this.#limit) return;
    Atomics.store(this.#words, FAILURES, 0);
    this.#move(word, CLOSED);
  }

  /** The call failed in a way that counts. */
  failure(permit: Permit): void {
    const word = this.#load();
    if (word >>> 3 !== permit.epoch || (word & 7) === DISABLED) return;
    const failures = Atomics.add(this.#words, FAILURES, 1) + 1;
    if (permit.isProbe || failures >= (this.#words[THRESHOLD] as number)) this.#open(word);
  }

  /** The call came to nothing that counts: a probe's place is free again. */
  release(permit: Permit): void {
    if (!permit.isProbe) return;
    for (;;) {
      const probes = Atomics.load(this.#words, PROBES);
      if (probes >>> 8 !== permit.epoch || (probes & 255) === 0) return;
      if (Atomics.compareExchange(this.#words, PROBES, probes, probes - 1) === probes) return;
    }
  }

  /** A failure seen from outside the call: its thread died. Frees the places of probes that died with it. */
  failureOfLostThread(): void {
    const word = this.#load();
    if ((word & 7) === HALF_OPEN) this.#open(word);
    else if ((word & 7) === CLOSED) this.failure(this.#permitOf(word));
  }

  /** Frees the places of probes whose thread ended without their doing. */
  releaseProbes(): void {
    const word = this.#load();
    if ((word & 7) === HALF_OPEN) this.#move(word, HALF_OPEN);
  }

  /** Refuses every call until {@link reset}. */
  forceOpen(): void {
    this.#set(FORCED_OPEN);
  }

  /** Lets every call through and counts nothing until {@link reset}. */
  disable(): void {
    this.#set(DISABLED);
  }

  /** Closed, and nothing counted. */
  reset(): void {
    Atomics.store(this.#words, FAILURES, 0);
    this.#set(CLOSED);
  }

  get #limit(): number {
    return this.#words[PROBE_LIMIT] as number;
  }

  #load(): number {
    return Atomics.load(this.#words, STATE);
  }

  #isDue(): boolean {
    return this.#clock.elapsed() - (this.#times[OPENED_AT] as number) >= (this.#times[RECOVERY_MS] as number);
  }

  /** True when it is time for another round of probes. */
  #mayProbe(state: number): boolean {
    return (state === OPEN && this.#isDue()) || (state === HALF_OPEN && this.#isStuck());
  }

  /** All probes are out, and none has come back for a whole recovery time: they are lost. */
  #isStuck(): boolean {
    return this.#clock.elapsed() - (this.#times[PROBED_AT] as number) >= (this.#times[RECOVERY_MS] as number);
  }

  #open(word: number): void {
    this.#times[OPENED_AT] = this.#clock.elapsed();
    this.#move(word, OPEN);
  }

  /** To `state`, unless another thread has moved it meanwhile. */
  #move(word: number, state: number): void {
    Atomics.compareExchange(this.#words, STATE, word, nextEpoch(word) | state);
  }

  #set(state: number): void {
    Atomics.store(this.#words, STATE, nextEpoch(this.#load()) | state);
  }

  #probes(word: number): number {
    return this.#count(PROBES, word);
  }

  /** A counter of an earlier epoch counts as 0. */
  #count(index: number, word: number): number {
    const counter = Atomics.load(this.#words, index);
    return counter >>> 8 === word >>> 3 ? counter & 255 : 0;
  }

  /** Counts one up in this epoch, unless `limit` is reached. */
  #claim(index: number, word: number, limit: number): boolean {
    for (;;) {
      const counter = Atomics.load(this.#words, index);
      const count = counter >>> 8 === word >>> 3 ? counter & 255 : 0;
      if (count >= limit) return false;
      const next = ((word >>> 3) << 8) | (count + 1);
      if (Atomics.compareExchange(this.#words, index, counter, next) === counter) return true;
    }
  }

  #permitOf(word: number): Permit {
    if (this.#permit.epoch !== word >>> 3) this.#permit = { epoch: word >>> 3, isProbe: false };
    return this.#permit;
  }
}

function nextEpoch(word: number): number {
  return (((word >>> 3) + 1) & EPOCHS) << 3;
}

function assertCount(option: string, value: unknown, most: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return;
  throw invalidOption(option, `a whole number from 1 to ${most}`, value);
}
