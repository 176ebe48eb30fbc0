// The parked streams of a lane: what waits on main for the verdict on a delivery that failed before it.
import type { Delivery } from '../shared/delivery.js';
import type { Priority } from '../shared/message.js';
import { type LaneOrder, ParkedWords, streamOf } from '../shared/order.js';
import { Expiry, isExpired } from './expiry.js';

/** Tells whether the lane's worker has read all that lay in the rings when something was parked. */
export interface Fence {
  isPassed(): boolean;
}

interface ParkedStream {
  /** The delivery whose verdict is waited for; null: there is none any more, but the fence is not passed. */
  head: number | null;
  /** Null: main has not decided yet, and the worker waits for that. */
  fence: Fence | null;
  /** Came back from the rings. */
  readonly bounced: Delivery[];
  /** Came later, and never was in a ring. */
  readonly behind: Delivery[];
}

/**
 * Exact, where the words of a worker are not: streams share slots. What of other streams lies in a ring when a slot is
 * parked comes back, too, and until all has, what is new of that slot waits: otherwise it would overtake.
 * Bounded by the queue's limits, for what is parked counts as what waits. Deliveries given here own their bytes.
 */
export class Parking {
  readonly #order: LaneOrder | null;
  readonly #fenceOf: (delivery: Delivery) => Fence;
  readonly #words: ParkedWords | null;
  readonly #streams = new Map<string, ParkedStream>();
  /** Streams by the number of their head. */
  readonly #heads = new Map<number, string>();
  /** Streams without a head, which go on when their fence is passed. */
  readonly #released = new Set<string>();
  /** By slot. */
  readonly #fences = new Map<number, Fence>();
  readonly #expiry = new Expiry();
  /** Deliveries that wait here. */
  size = 0;
  /** Bytes of their payloads. */
  bytes = 0;
  /** What a record is stamped with when it is written now. */
  stamp = 0;

  /**
   * @param order null: no order is kept, and nothing is ever parked
   * @param fenceOf what has to be read before the stream of a delivery is complete
   * @param words null: no worker reads along
   */
  constructor(order: LaneOrder | null, fenceOf: (delivery: Delivery) => Fence, words: ParkedWords | null) {
    this.#order = order;
    this.#fenceOf = fenceOf;
    this.#words = words;
  }

  /** True: nothing is parked. */
  get isIdle(): boolean {
    return this.#streams.size === 0 && this.#fences.size === 0;
  }

  /** True: others wait for the verdict on this one. */
  isHead({ number }: Delivery): boolean {
    return this.#heads.has(number);
  }

  /** True: it must wait here. A head that comes back before the worker knows of it is made known. */
  holds(delivery: Delivery): boolean {
    if (this.isIdle) return false;
    if (this.isHead(delivery)) {
      this.#decided(delivery);
      return false;
    }
    const stream = this.#streamOf(delivery);
    if (stream === null) return false;
    if (this.#streams.has(stream)) return true;
    const fence = this.#fences.get(ParkedWords.slotOf(stream, delivery));
    if (fence === undefined || fence.isPassed()) return false;
    this.#releasedStream(stream, fence);
    return true;
  }

  /** Takes a delivery that must wait here, and only such a one. */
  takes(delivery: Delivery): boolean {
    if (!this.holds(delivery)) return false;
    const parked = this.#streams.get(this.#streamOf(delivery) ?? '') as ParkedStream;
    this.#count(parked.behind, delivery);
    return true;
  }

  /** Takes a delivery that the worker has sent back unread. False: it is a head, and should go again at once. */
  bounced(delivery: Delivery): boolean {
    if (this.isHead(delivery)) return false;
    const stream = this.#streamOf(delivery) ?? '';
    const fence = (): Fence => this.#fences.get(ParkedWords.slotOf(stream, delivery)) ?? this.#fenceOf(delivery);
    const parked = this.#streams.get(stream) ?? this.#releasedStream(stream, fence());
    this.#count(parked.bounced, delivery);
    return true;
  }

  /** While `settle` decides about a delivery, those behind it wait; from then on, if it may come back, until its verdict. */
  whileDeciding(delivery: Delivery, settle: () => void): void {
    this.park(delivery);
    settle();
    this.#decided(delivery);
  }

  /** The worker has asked, and may go on. */
  answer(): void {
    this.#words?.answer();
  }

  /** Those behind this delivery wait until it is released. */
  park(delivery: Delivery): void {
    const stream = this.#streamOf(delivery);
    if (stream === null) return;
    const parked = this.#streams.get(stream) ?? { head: null, fence: null, bounced: [], behind: [] };
    if (parked.head !== null) return;
    parked.head = delivery.number;
    parked.fence = null;
    this.#streams.set(stream, parked);
    this.#heads.set(delivery.number, stream);
    this.#released.delete(stream);
  }

  /** The verdict on a head: those behind it may go on. False: it was none. */
  release(number: number): boolean {
    const stream = this.#heads.get(number);
    const parked = stream === undefined ? undefined : this.#streams.get(stream);
    if (stream === undefined || parked === undefined) return false;
    this.#heads.delete(number);
    parked.head = null;
    this.#released.add(stream);
    return true;
  }

  /** Takes out what may go on, in order. It goes before all that waits elsewhere. */
  takeReady(): Delivery[] {
    const ready: Delivery[] = [];
    for (const stream of this.#released) {
      const { fence, bounced, behind } = this.#streams.get(stream) as ParkedStream;
      if (fence !== null && !fence.isPassed()) continue;
      this.#released.delete(stream);
      this.#streams.delete(stream);
      for (const delivery of bounced) ready.push(delivery);
      for (const delivery of behind) ready.push(delivery);
    }
    for (const [slot, fence] of this.#fences) if (fence.isPassed()) this.#fences.delete(slot);
    this.#forget(ready);
    return ready;
  }

  /** The oldest delivery of this priority that waits here. O(streams): for when the queue is full. */
  oldest(priority: Priority): Delivery | undefined {
    let oldest: Delivery | undefined;
    for (const { bounced, behind } of this.#streams.values()) {
      const isOfPriority = (delivery: Delivery): boolean => delivery.priority === priority;
      const first = bounced.find(isOfPriority) ?? behind.find(isOfPriority);
      if (first !== undefined && !(oldest !== undefined && oldest.number < first.number)) oldest = first;
    }
    return oldest;
  }

  /** Takes an {@link oldest} out. */
  take(oldest: Delivery): void {
    const { bounced, behind } = this.#streams.get(this.#streamOf(oldest) ?? '') as ParkedStream;
    const list = bounced.includes(oldest) ? bounced : behind;
    list.splice(list.indexOf(oldest), 1);
    this.#forget([oldest]);
  }

  /** Takes out those whose time to live is over. O(size), where there is one. */
  takeExpired(now: number): Delivery[] {
    if (!this.#expiry.isOver(now)) return [];
    const expired = this.takeWhere((delivery) => isExpired(delivery, now));
    this.#expiry.reset();
    for (const { bounced, behind } of this.#streams.values())
      for (const list of [bounced, behind]) for (const delivery of list) this.#expiry.note(delivery);
    return expired;
  }

  /** Takes out all of which this is true. O(size). */
  takeWhere(isWanted: (delivery: Delivery) => boolean): Delivery[] {
    const taken: Delivery[] = [];
    for (const { bounced, behind } of this.#streams.values()) {
      for (const list of [bounced, behind]) {
        let left = 0;
        for (const delivery of list) {
          if (isWanted(delivery)) taken.push(delivery);
          else list[left++] = delivery;
        }
        list.length = left;
      }
    }
    this.#forget(taken);
    return taken;
  }

  /** Takes everything out. */
  clear(): Delivery[] {
    const all = [...this.#streams.values()].flatMap(({ bounced, behind }) => [...bounced, ...behind]);
    this.#forget(all);
    for (const map of [this.#streams, this.#heads, this.#released, this.#fences]) map.clear();
    return all;
  }

  /** If it was not released at once, the worker has to know. */
  #decided(delivery: Delivery): void {
    const stream = this.#heads.get(delivery.number);
    const parked = stream === undefined ? undefined : this.#streams.get(stream);
    if (stream === undefined || parked === undefined || parked.fence !== null) return;
    const slot = ParkedWords.slotOf(stream, delivery);
    parked.fence = this.#fenceOf(delivery);
    if (this.#words === null) return;
    this.#words.park(slot);
    this.stamp = this.#words.generation;
    this.#fences.set(slot, parked.fence);
  }

  #streamOf(delivery: Delivery): string | null {
    return this.#order === null ? null : streamOf(this.#order, delivery);
  }

  #releasedStream(stream: string, fence: Fence): ParkedStream {
    const parked = { head: null, fence, bounced: [], behind: [] };
    this.#streams.set(stream, parked);
    this.#released.add(stream);
    return parked;
  }

  #count(list: Delivery[], delivery: Delivery): void {
    list.push(delivery);
    this.#expiry.note(delivery);
    this.size++;
    this.bytes += delivery.bytes.length;
  }

  #forget(deliveries: readonly Delivery[]): void {
    this.size -= deliveries.length;
    for (const { bytes } of deliveries) this.bytes -= bytes.length;
  }
}
