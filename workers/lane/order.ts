// The order of a lane as its drain keeps it: what may start, what goes back to main, what has to wait.
import type { DeliveryHead } from '../../src/shared/delivery.js';
import { type LaneOrder, MOST_ASIDE, ParkedWords, streamOf } from '../../src/shared/order.js';
import type { Aside } from './place.js';

/**
 * What to do with the next record. `bounce`: it waits on main. `ask`: one before it failed, and main has not said yet
 * what becomes of that. `behind`: one before it runs; those of other streams may pass. `full`: one before it runs.
 */
export type Fate = 'start' | 'bounce' | 'ask' | 'behind' | 'full';

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
  /** Records that others have passed, in their order, by stream. */
  readonly #behind = new Map<string, Aside[]>();
  /** How many they are. */
  #asides = 0;
  /** Streams of them of which nothing runs any more. */
  readonly #ready: string[] = [];

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
   * @param isAside it was passed by others, and is {@link nextAside}
   */
  fateOf(delivery: DeliveryHead, stamp: number, isAside: boolean): Fate {
    if (this.#order === null) return 'start';
    if (this.#open.size === 0 && this.#running === null && ((stamp - this.#generation) | 0) >= 0) return 'start';
    const stream = this.#streamOf(delivery);
    if (stream === null) return 'start';
    if (!this.hasAnswer && this.#open.has(stream)) return 'ask';
    if (!isAside && this.#isTaken(stream)) return this.#mayBePassed ? 'behind' : 'full';
    return this.#words.isParkedSince(stamp, ParkedWords.slotOf(stream, delivery)) ? 'bounce' : 'start';
  }

  get #mayBePassed(): boolean {
    return this.#order?.ordering !== 'strict' && this.#asides < MOST_ASIDE;
  }

  /** Others may pass this record, whose fate is to be `behind`. */
  setAside(delivery: DeliveryHead, aside: Aside): void {
    const stream = this.#streamOf(delivery) ?? NO_STREAM;
    const behind = this.#behind.get(stream);
    if (behind === undefined) this.#behind.set(stream, [aside]);
    else behind.push(aside);
    this.#asides++;
  }

  /** A record that was passed, and is the next of its stream, of which nothing runs any more. */
  get nextAside(): Aside | undefined {
    if (this.#asides === 0) return undefined;
    const stream = this.#ready[0];
    return stream === undefined ? undefined : this.#behind.get(stream)?.[0];
  }

  /** Takes {@link nextAside} out: its attempt begins, or it goes back to main. To be followed by {@link ended}. */
  takeAside(): void {
    const stream = this.#ready.shift() ?? NO_STREAM;
    const behind = this.#behind.get(stream) ?? [];
    behind.shift();
    this.#asides--;
    // Those that come meanwhile must find it taken.
    if (behind.length === 0) this.#behind.delete(stream);
    this.#running?.add(stream);
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

  /** Its handler has ended. True: one that others have passed may go on. */
  ended(delivery: DeliveryHead): boolean {
    if (this.#running === null) return false;
    const stream = this.#streamOf(delivery);
    if (stream === null) return false;
    this.#running.delete(stream);
    if (this.#asides === 0 || !this.#behind.has(stream)) return false;
    this.#ready.push(stream);
    return true;
  }

  /** Main was told that its attempt failed, and will answer. */
  asked(delivery: DeliveryHead): void {
    this.#asked = (this.#asked + 1) | 0;
    this.#open.add(this.#streamOf(delivery) ?? NO_STREAM);
  }

  /** One of this stream runs, or one was passed that has to come first. */
  #isTaken(stream: string): boolean {
    return this.#running !== null && (this.#running.has(stream) || (this.#asides > 0 && this.#behind.has(stream)));
  }

  #streamOf(delivery: DeliveryHead): string | null {
    return this.#order === null ? null : streamOf(this.#order, delivery);
  }
}

/** For what is in no order: its answer is counted all the same. No stream is called so. */
const NO_STREAM = '-';
