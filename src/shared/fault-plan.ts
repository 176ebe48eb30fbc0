// Which delivery suffers which injected fault: drawn from the seed and the delivery's name, the same on every thread.
import { seededHashOf } from './key-hash.js';

/** What can be done to a delivery. */
export type FaultKind = 'throw' | 'delay' | 'hang' | 'loop' | 'kill' | 'outOfMemory' | 'corrupt';

export const FAULT_KINDS: readonly FaultKind[] = ['throw', 'delay', 'hang', 'loop', 'kill', 'outOfMemory', 'corrupt'];

/** Plain data: it crosses threads. */
export interface FaultPlan {
  readonly seed: number;
  /** The chance of each, from 0 to 1; together 1 at most. */
  readonly rates: Readonly<Record<FaultKind, number>>;
  readonly delayMs: number;
  /** Attempts of a chosen delivery that suffer. */
  readonly attempts: number;
  /** Before the handler runs, or after it has run. */
  readonly when: 'before' | 'after';
}

/** What a lane worker is told when its bus is under test. */
export interface LaneTesting {
  readonly plan: FaultPlan;
  readonly subscriberId: string;
  readonly graceMs: number;
  /** See `IdleMarks`. */
  readonly marks: SharedArrayBuffer;
}

/** The fault that this delivery suffers, if any. */
export function drawFault({ seed, rates }: FaultPlan, subscriberId: string, messageId: string): FaultKind | null {
  let left = seededHashOf(`${subscriberId}\n${messageId}`, seed) / 2 ** 32;
  for (const kind of FAULT_KINDS) {
    left -= rates[kind];
    if (left < 0) return kind;
  }
  return null;
}

/** More than can run at the same time in a lane. */
const ALL = 1 << 20;

/**
 * How many attempts of a lane wait for nothing but time, and until when: a clock may be stepped only while no other
 * attempt runs.
 *
 *   word 0   IDLE    worker   attempts that wait
 *   word 1   MOST    worker   attempts that may run at the same time
 *   byte 8   UNTIL   worker   Clock.elapsed() at which the first of them has waited long enough, when IDLE is above 0
 */
export class IdleMarks {
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  /** The worker's own. */
  readonly #waiting: number[] = [];

  static allocate(): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(16);
    // Before the first drain says how many: one, at least.
    new Int32Array(memory)[1] = 1;
    return memory;
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#times = new Float64Array(memory);
  }

  get idle(): number {
    return Atomics.load(this.#words, 0);
  }

  get most(): number {
    return Atomics.load(this.#words, 1);
  }

  get until(): number {
    return this.#times[1] as number;
  }

  begin(until: number): void {
    this.#waiting.push(until);
    this.#show();
  }

  /** The thread does nothing else any more: what waits beside it, waits as long. */
  block(until: number): void {
    this.#times[1] = until;
    Atomics.store(this.#words, 0, ALL);
  }

  end(until: number): void {
    this.#waiting.splice(this.#waiting.indexOf(until), 1);
    this.#show();
  }

  /** A new drain begins: the attempts of the one before are gone. */
  clear(concurrency: number): void {
    Atomics.store(this.#words, 1, concurrency);
    Atomics.store(this.#words, 0, 0);
  }

  #show(): void {
    this.#times[1] = Math.min(...this.#waiting);
    Atomics.store(this.#words, 0, this.#waiting.length);
  }
}
