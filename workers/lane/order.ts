// The order of a lane as its drain keeps it: what may start, what goes back to main, what has to wait.
import type { DeliveryHead } from '../../src/shared/delivery.js';
import { type LaneOrder, ParkedWords, streamOf } from '../../src/shared/order.js';

/**
 * What to do with the next record. `bounce`: it waits on main. `ask`: one before it failed, and main has not said yet
 * what becomes of that. `full`: one before it runs.
 */
export type Fate = 'start' | 'bounce' | 'ask' | 'full';

/** Belongs to one drain; when it begins, main has answered all that the one before it asked. */
export class OrderKeeper {
  readonly #order: LaneOrder | null;
  readonly #words: ParkedWords;
  /** Changes only when main answers. */
  #generation: number;
  #asked: number;
  /** Streams of which main has not said yet whether they are parked. */
  readonly #open = new Set<string>();
  /** Streams of which one runs; null: nothing ever runs side by side. */
  readonly #running: Set<string> | null;

  constructor(order: LaneOrder | null, memory: SharedArrayBuffer, concurrency: number) {
    this.#order = order;
    this.#words = new ParkedWords(memory);
    this.#generation = this.#words.generation;
    this.#asked = this.#words.answered;
    this.#running = order === null || concurrency === 1 ? null : new Set();
  }

  /**
   * Costs no atomic load while nothing was parked since the record was written, and handlers run one at a time.
   *
   * @param stamp of its record
   */
  fateOf(delivery: DeliveryHead, stamp: number): Fate {
    if (this.#order === null) return 'start';
    if (this.#open.size === 0 && this.#running === null && ((stamp - this.#generation) | 0) >= 0) return 'start';
    const stream = this.#streamOf(delivery);
    if (stream === null) return 'start';
    if (!this.hasAnswer && this.#open.has(stream)) return 'ask';
    if (this.#words.isParkedSince(stamp, ParkedWords.slotOf(stream, delivery))) return 'bounce';
    return this.#running?.has(stream) === true ? 'full' : 'start';
  }

  /** True when main owes no answer. */
  get hasAnswer(): boolean {
    if (this.#open.size === 0) return true;
    if (this.#words.answered !== this.#asked) return false;
    this.#open.clear();
    this.#generation = this.#words.generation;
    return true;
  }

  /** Its handler is called. */
  started(delivery: DeliveryHead): void {
    if (this.#running === null) return;
    const stream = this.#streamOf(delivery);
    if (stream !== null) this.#running.add(stream);
  }

  /** Its handler has ended. */
  ended(delivery: DeliveryHead): void {
    if (this.#running === null) return;
    const stream = this.#streamOf(delivery);
    if (stream !== null) this.#running.delete(stream);
  }

  /** Main was told that its attempt failed, and will answer. */
  asked(delivery: DeliveryHead): void {
    this.#asked = (this.#asked + 1) | 0;
    this.#open.add(this.#streamOf(delivery) ?? NO_STREAM);
  }

  #streamOf(delivery: DeliveryHead): string | null {
    return this.#order === null ? null : streamOf(this.#order, delivery);
  }
}

/** For what is in no order: its answer is counted all the same. No stream is called so. */
const NO_STREAM = '-';
