// The deliveries of one lane that wait on main because its rings are full.
import { type Delivery, priorityNumber } from '../shared/delivery.js';
import { Fifo } from '../shared/fifo.js';
import { PRIORITIES, type Priority } from '../shared/message.js';
import { Expiry, isExpired } from './expiry.js';

/** One queue for each priority; first in, first out within each. Owns its deliveries' bytes. */
export class Backlog {
  readonly #queues: Fifo<Delivery>[] = PRIORITIES.map(() => new Fifo<Delivery>());
  readonly #expiry = new Expiry();
  /** Bytes of the payloads that wait. */
  bytes = 0;
  size = 0;

  /** @param delivery must own its bytes */
  push(delivery: Delivery): void {
    this.#queueOf(delivery.priority).add(delivery);
    this.#expiry.note(delivery);
    this.#count(delivery, 1);
  }

  /** Puts deliveries before all others of their priorities, in this order. */
  prepend(deliveries: readonly Delivery[]): void {
    this.#queues.forEach((queue, place) => {
      const own = deliveries.filter((delivery) => priorityNumber(delivery) === place);
      if (own.length > 0) queue.putBack(own);
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
      const queue = this.#queues[index] as Fifo<Delivery>;
      for (let first = queue.oldest; first !== undefined && accept(first); first = queue.oldest) {
        queue.take();
        this.#count(first, -1);
      }
    }
  }

  /** The oldest delivery of this priority, if there is one. */
  oldest(priority: Priority): Delivery | undefined {
    return this.#queueOf(priority).oldest;
  }

  /** Takes an {@link oldest} out. */
  take(oldest: Delivery): void {
    this.#queueOf(oldest.priority).take();
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

  #queueOf(priority: Priority): Fifo<Delivery> {
    return this.#queues[priorityNumber({ priority })] as Fifo<Delivery>;
  }

  #count(delivery: Delivery, sign: 1 | -1): void {
    this.size += sign;
    this.bytes += sign * delivery.bytes.length;
  }
}
