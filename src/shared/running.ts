// Which record's handler runs now, in a ring whose handlers run one after the other: a word of the reader's own. Writing
// into each record instead would take its cache lines back and forth between the cores: half of the time of a small message.
import { RING_CONTROL_BYTES, RUNNING, STARTED_AT } from './layout.js';
import { storeInOrder } from './ordered-store.js';

/** A record whose handler runs. */
export interface Running {
  readonly sequence: number;
  /** `Clock.elapsed()` when the handler was called. */
  readonly startedAt: number;
}

/** Written by the ring's reader, read by any thread. */
export class RunningWord {
  readonly #words: Int32Array;
  readonly #times: Float64Array;

  /** @param memory a ring's */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, RING_CONTROL_BYTES / 4);
    this.#times = new Float64Array(memory, 0, RING_CONTROL_BYTES / 8);
  }

  /** The handler of this record is called: a death of this thread is its doing until the record is released. */
  begin(sequence: number, startedAt: number): void {
    this.#times[STARTED_AT] = startedAt;
    storeInOrder(this.#words, RUNNING, sequence);
  }

  /** The handler of this record has ended, but the record cannot be released yet. */
  suspend(sequence: number): void {
    Atomics.store(this.#words, RUNNING, (sequence - 1) | 0);
  }

  /**
   * What runs, if it is the oldest record; a sequence that was released says that nothing runs.
   *
   * @param oldest SEQUENCE of the oldest record that is not released
   */
  read(oldest: number): Running | undefined {
    const sequence = Atomics.load(this.#words, RUNNING);
    const startedAt = this.#times[STARTED_AT] as number;
    if (sequence !== oldest || Atomics.load(this.#words, RUNNING) !== sequence) return undefined;
    return { sequence, startedAt };
  }
}
