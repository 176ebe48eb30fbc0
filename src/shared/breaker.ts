// A circuit breaker whose state lies in shared memory, so that every thread checks the same one with one atomic load.
import { ResultWindow } from './breaker-window.js';
import {
  allocateBreaker,
  type BreakerOptions,
  FAILURES,
  MAX_WAIT_MS,
  OPENED_AT,
  PROBE_LIMIT,
  PROBED_AT,
  PROBES,
  RECOVERY_MS,
  STATE,
  SUCCESSES,
  THRESHOLD,
  WINDOW_BYTE,
} from './breaker-words.js';
import type { Clock } from './clock.js';

export type { BreakerOptions } from './breaker-words.js';

/** `half_open`: the recovery time is over, and probes decide. The last two are set by hand. */
export type CircuitState = 'closed' | 'open' | 'half_open' | 'forced_open' | 'disabled';

/** Lets one call through; give it back with the call's result. */
export interface Permit {
  readonly epoch: number;
  readonly isProbe: boolean;
  /** `Clock.elapsed()`, where slow calls are told from others. */
  readonly startedAt: number;
}

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
  /** Null: failures in a row are counted. */
  readonly #window: ResultWindow | null;
  /** True: slow calls are told from others. */
  readonly #isTimed: boolean;
  #permit: Permit = { epoch: 0, isProbe: false, startedAt: 0 };

  /**
   * Memory for a closed breaker.
   *
   * @throws BUSBAR_INVALID_OPTION
   */
  static allocate(options: BreakerOptions = {}, whose = ''): SharedArrayBuffer {
    return allocateBreaker(options, whose);
  }

  /** @param offset in bytes, where it is one of several in this memory; these have no windows */
  constructor(memory: SharedArrayBuffer, clock: Clock, offset?: number) {
    this.#words = new Int32Array(memory, offset, WINDOW_BYTE / 4);
    this.#times = new Float64Array(memory, offset, WINDOW_BYTE / 8);
    this.#clock = clock;
    const hasWindow = offset === undefined && memory.byteLength > WINDOW_BYTE;
    this.#window = hasWindow ? new ResultWindow(memory, WINDOW_BYTE, clock) : null;
    this.#isTimed = this.#window !== null && this.#window.slowCallMs !== Number.POSITIVE_INFINITY;
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

  /** False while calls are refused. A plain look while closed, for an atomic one costs 15 ns: it may miss a change of this very moment. */
  admits(): boolean {
    if (((this.#words[STATE] as number) & 7) === CLOSED) return true;
    const state = this.#load() & 7;
    if (state === CLOSED || state === DISABLED) return true;
    if (state === OPEN) return this.#isDue();
    return state === HALF_OPEN && (this.#probes(this.#load()) < this.#limit || this.#isStuck());
  }

  /** A permit for one call, or undefined when it is refused. A plain look while closed, as in {@link admits}. */
  enter(): Permit | undefined {
    const seen = this.#words[STATE] as number;
    if ((seen & 7) === CLOSED) return this.#permitOf(seen);
    for (;;) {
      const word = this.#load();
      const state = word & 7;
      if (state === CLOSED || state === DISABLED) return this.#permitOf(word);
      if (state === HALF_OPEN && this.#claim(PROBES, word, this.#limit)) {
        const startedAt = this.#clock.elapsed();
        this.#times[PROBED_AT] = startedAt;
        return { epoch: word >>> 3, isProbe: true, startedAt };
      }
      if (!this.#mayProbe(state)) return undefined;
      // Before the move: a time left over from an earlier round would make this round's probes look lost at once.
      this.#times[PROBED_AT] = this.#clock.elapsed();
      this.#move(word, HALF_OPEN);
    }
  }

  /** The call succeeded. */
  success(permit: Permit): void {
    // A plain look, for an atomic one is a call of 15 ns: a failure of this very moment may come before or after this success.
    if (!permit.isProbe && this.#window === null && this.#words[FAILURES] === 0) return;
    const word = this.#load();
    if (word >>> 3 !== permit.epoch) return;
    if (permit.isProbe) this.#probeSucceeded(word, permit);
    else if (this.#window !== null) this.#addToWindow(this.#window, word, permit, false);
    else Atomics.store(this.#words, FAILURES, 0);
  }

  /** The call failed in a way that counts. */
  failure(permit: Permit): void {
    const word = this.#load();
    if (word >>> 3 !== permit.epoch || (word & 7) === DISABLED) return;
    if (permit.isProbe) this.#open(word);
    else if (this.#window !== null) this.#addToWindow(this.#window, word, permit, true);
    else if (Atomics.add(this.#words, FAILURES, 1) + 1 >= (this.#words[THRESHOLD] as number)) this.#open(word);
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

  /** Frees the place of a probe whose thread ended without its doing. */
  releaseProbe(): void {
    const word = this.#load();
    if ((word & 7) === HALF_OPEN) this.release({ epoch: word >>> 3, isProbe: true, startedAt: 0 });
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
    this.#forget();
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

  /** All probes are out, and the longest wait for them is over: they are lost. */
  #isStuck(): boolean {
    return this.#clock.elapsed() - (this.#times[PROBED_AT] as number) >= (this.#times[MAX_WAIT_MS] as number);
  }

  #probeSucceeded(word: number, permit: Permit): void {
    if (this.#wasSlow(permit)) {
      this.#open(word);
      return;
    }
    this.#claim(SUCCESSES, word, this.#limit);
    if (this.#count(SUCCESSES, word) < this.#limit) return;
    this.#forget();
    this.#move(word, CLOSED);
  }

  #addToWindow(window: ResultWindow, word: number, permit: Permit, hasFailed: boolean): void {
    if ((word & 7) === CLOSED && window.add(hasFailed, this.#wasSlow(permit))) this.#open(word);
  }

  #wasSlow(permit: Permit): boolean {
    return this.#isTimed && this.#clock.elapsed() - permit.startedAt > (this.#window?.slowCallMs ?? 0);
  }

  /** Nothing counted. */
  #forget(): void {
    Atomics.store(this.#words, FAILURES, 0);
    this.#window?.clear();
  }

  #open(word: number): void {
    if (this.#load() !== word) return;
    this.#times[OPENED_AT] = this.#clock.elapsed();
    this.#move(word, OPEN);
  }

  /** To `state`, unless another thread has moved it meanwhile. */
  #move(word: number, state: number): void {
    Atomics.compareExchange(this.#words, STATE, word, nextEpoch(word) | state);
  }

  #set(state: number): void {
    // An epoch must never be given out twice, so this must not overwrite another thread's move.
    for (let word = this.#load(); ; word = this.#load()) {
      if (Atomics.compareExchange(this.#words, STATE, word, nextEpoch(word) | state) === word) return;
    }
  }

  #probes(word: number): number {
    return this.#count(PROBES, word);
  }

  /** A counter of an earlier epoch counts as 0. */
  #count(index: number, word: number): number {
    const counter = Atomics.load(this.#words, index);
    return counter >>> 8 === word >>> 3 ? counter & 255 : 0;
  }

  /** Counts one up in this epoch, unless `limit` is reached, or other threads are in a later one already. */
  #claim(index: number, word: number, limit: number): boolean {
    for (;;) {
      const counter = Atomics.load(this.#words, index);
      const ahead = ((counter >>> 8) - (word >>> 3)) & EPOCHS;
      const count = ahead === 0 ? counter & 255 : 0;
      if (count >= limit || (ahead > 0 && ahead < EPOCHS / 2)) return false;
      const next = ((word >>> 3) << 8) | (count + 1);
      if (Atomics.compareExchange(this.#words, index, counter, next) === counter) return true;
    }
  }

  #permitOf(word: number): Permit {
    if (this.#isTimed) return { epoch: word >>> 3, isProbe: false, startedAt: this.#clock.elapsed() };
    if (this.#permit.epoch !== word >>> 3) this.#permit = { epoch: word >>> 3, isProbe: false, startedAt: 0 };
    return this.#permit;
  }
}

function nextEpoch(word: number): number {
  return (((word >>> 3) + 1) & EPOCHS) << 3;
}
