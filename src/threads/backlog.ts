// The deliveries of one lane that wait on main because its rings are full.
import { type Delivery, priorityNumber } from '../shared/delivery.js';
import { PRIORITIES, type Priority } from '../shared/message.js';
import { Expiry, isExpired } from './expiry.js';

/** One queue for each priority; first in, first out within each. Owns its deliveries' bytes. */
export class Backlog {
  readonly #queues: Queue[] = PRIORITIES.map(() => new Queue());
  readonly #expiry = new Expiry();
  /** Bytes of the payloads that wait. */
  bytes = 0;
  size = 0;

  /** @param delivery must own its bytes */
  push(delivery: Delivery): void {
    this.#queueOf(delivery.priority).push(delivery);
    this.#expiry.note(delivery);
    this.#count(delivery, 1);
  }

  /** Puts deliveries before all others of their priorities, in this order. */
  prepend(deliveries: readonly Delivery[]): void {
    this.#queues.forEach((queue, place) => {
      const own = deliveries.filter((delivery) => priorityNumber(delivery) === place);
      if (own.length > 0) queue.prepend(own);
    });
    for (const delivery of deliveries) {
      this.#expiry.note(delivery);
      this.#count(delivery, 1);
    }
  }

  /** True when deliveries of this priority wait, so that a newcomer must queue behind them. */
  has(priority: Priority): boolean {
    return this.size > 0 && this.#queueOf(priority).length > 0;
  }

  /**
   * Moves deliveries to `accept` in order, higher priorities first, until it refuses. A priority that is refused does
   * not hold up the others.
   */
  moveTo(accept: (delivery: Delivery) => boolean): void {
    for (let index = this.#queues.length - 1; index >= 0; index--) {
      const queue = this.#queues[index] as Queue;
      for (let first = queue.first; first !== undefined && accept(first); first = queue.first) {
        queue.shift();
        this.#count(first, -1);
      }
    }
  }

  /** The oldest delivery of this priority, if there is one. */
  oldest(priority: Priority): Delivery | undefined {
    return this.#queueOf(priority).first;
  }

  /** Takes an {@link oldest} out. */
  take(oldest: Delivery): void {
    this.#queueOf(oldest.priority).shift();
    this.#count(oldest, -1);
  }

  /** Takes out those whose time to live is over. O(size), where there is one. */
  takeExpired(now: number): Delivery[] {
    if (!this.#expiry.isOver(now)) return [];
    const expired = this.takeWhere((delivery) => isExpired(delivery, now));
    this.#expiry.reset();
    for (const queue of this.#queues) for (const delivery of queue) this.#expiry.note(delivery);
    return expired;
  }

  /** Takes out all of which this is true. O(size). */
  takeWhere(isWanted: (delivery: Delivery) => boolean): Delivery[] {
    const taken = this.#queues.flatMap((queue) => queue.takeWhere(isWanted));
    for (const delivery of taken) this.#count(delivery, -1);
    return taken;
  }

  /** Takes everything out. */
  clear(): Delivery[] {
    const all: Delivery[] = [];
    this.moveTo((delivery) => all.push(delivery) > 0);
    return all;
  }

  #queueOf(priority: Priority): Queue {
    return this.#queues[priorityNumber({ priority })] as Queue;
  }

  #count(delivery: Delivery, sign: 1 | -1): void {
    this.size += sign;
    this.bytes += sign * delivery.bytes.length;
  }
}

/** Below this many taken places at the front of the array, moving the rest costs more than it saves. */
const WORTH_COMPACTING = 1024;

/** A queue whose shift does not move the rest each time. */
class Queue {
  #items: Delivery[] = [];
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  get first(): Delivery | undefined {
    return this.#items[this.#start];
  }

  push(item: Delivery): void {
    this.#items.push(item);
  }

  prepend(items: readonly Delivery[]): void {
    this.#items = [...items, ...this.#items.slice(this.#start)];
    this.#start = 0;
  }

  /** Takes out all of which this is true. */
  takeWhere(isWanted: (item: Delivery) => boolean): Delivery[] {
    const taken: Delivery[] = [];
    const left: Delivery[] = [];
    for (const item of this) (isWanted(item) ? taken : left).push(item);
    if (taken.length === 0) return taken;
    this.#items = left;
    this.#start = 0;
    return taken;
  }

  *[Symbol.iterator](): Generator<Delivery> {
    for (let index = this.#start; index < this.#items.length; index++) yield this.#items[index] as Delivery;
  }

  shift(): Delivery | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#start] as Delivery;
    this.#start++;
    if (this.#start > WORTH_COMPACTING && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return item;
  }
}
