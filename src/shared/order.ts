// The order that a lane keeps: which deliveries follow one another, and the words in which main says who has to wait.
import type { DeliveryHead } from './delivery.js';
import { hashOf } from './key-hash.js';
import { ANSWERED, GENERATION, PARKED_BYTES, PARKED_SLOTS } from './layout.js';
import { type Ordering, PRIORITIES } from './message.js';
import { Outcome } from './outcome.js';

/** How a lane keeps order. */
export interface LaneOrder {
  readonly ordering: Exclude<Ordering, 'none'>;
  /** Deliveries without a key follow one another, too. Not where several run side by side anyway. */
  readonly ordersUnkeyed: boolean;
  /** False: a failed attempt is the last. */
  readonly retries: boolean;
}

/**
 * The stream that a delivery belongs to: it starts after the verdict on the one before it. Null: it belongs to none.
 * A request without a key belongs to none, for whoever wants it in order waits for the reply.
 */
export function streamOf(order: LaneOrder, { key, priority, wantsReply }: DeliveryHead): string | null {
  if (order.ordering === 'strict') return '';
  if (key !== null) return `${priority}:${key}`;
  return order.ordersUnkeyed && !wantsReply ? priority : null;
}

/** True when main answers this outcome, for its delivery may come back; those behind it wait until then. */
export function asksMain(order: LaneOrder, kind: number): boolean {
  return kind === Outcome.RETRY_LATER || (kind === Outcome.FAILED && order.retries);
}

/** Records of a lane's rings that others may pass at most, because one of their stream runs. */
export const MOST_ASIDE = 256;

const SLOTS_PER_PRIORITY = 256;

/**
 * The words of what is parked in a lane, see layout.ts. Main writes, the lane's worker reads.
 *
 * Main stamps each record with the GENERATION of its time, and has then looked itself whether its stream is parked. So
 * a record has to go back to main only when its slot was parked after it was written; slots need no clearing.
 */
export class ParkedWords {
  readonly #words: Int32Array;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(PARKED_BYTES);
  }

  /** Streams of one slot share a priority, and so a ring; in a strict lane there is one stream, and one slot. */
  static slotOf(stream: string, { priority }: DeliveryHead): number {
    if (stream === '') return 0;
    return PRIORITIES.indexOf(priority) * SLOTS_PER_PRIORITY + (hashOf(stream) % SLOTS_PER_PRIORITY);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** How often something was parked in this lane, mod 2^32 (signed). */
  get generation(): number {
    return Atomics.load(this.#words, GENERATION);
  }

  /** How many outcomes main has answered, mod 2^32 (signed). */
  get answered(): number {
    return Atomics.load(this.#words, ANSWERED);
  }

  /** True: a record of this slot with this stamp must go back to main. */
  isParkedSince(stamp: number, slot: number): boolean {
    return ((Atomics.load(this.#words, PARKED_SLOTS + slot) - stamp) | 0) > 0;
  }

  /** What lies in the lane's rings of this slot now comes back. Main only. */
  park(slot: number): void {
    const generation = (this.generation + 1) | 0;
    Atomics.store(this.#words, PARKED_SLOTS + slot, generation);
    Atomics.store(this.#words, GENERATION, generation);
  }

  /** One more outcome is decided, and parked what had to be. Main only. */
  answer(): void {
    Atomics.store(this.#words, ANSWERED, (this.answered + 1) | 0);
  }
}
