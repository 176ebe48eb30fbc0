// What waits for a lane's worker: in its rings, in the backlog behind them, or parked.
import type { Delivery } from '../shared/delivery.js';
import { Backlog } from './backlog.js';
import type { LaneOptions, Waiting } from './lane-contract.js';
import type { LaneAccount } from './lane-ring.js';
import { LaneRings } from './lane-rings.js';
import type { Parking } from './parking.js';
import type { RateLimit } from './rate-limit.js';

/** The lane of a queue. */
export interface LaneQueueOwner {
  /** Called before a ring is opened, of which a drain that runs does not know. */
  mayOpen(): boolean;
  /** False: what is in a ring would wait there, and start at once later, whatever the rate limit. {@link LaneQueue.refill} then. */
  mayFeed(): boolean;
  /** Called when the rate limit lets one more pass: {@link LaneQueue.refill}. */
  onRate(): void;
}

/** Belongs to one lane. Runs on the main thread; wakes nobody. */
export class LaneQueue {
  readonly backlog = new Backlog();
  readonly rings: LaneRings;
  readonly parking: Parking;
  readonly #rate: RateLimit | null;
  readonly #concurrency: number;
  readonly #owner: LaneQueueOwner;
  /** Always the same one: who waits for the rate limit, waits once. */
  readonly #onRate: () => void;
  /** The last one that was to be written was refused, not by a ring: to try again at once would be in vain. */
  #isHeldUp = false;

  constructor({ names, shape, order, rate }: LaneOptions, owner: LaneQueueOwner) {
    this.#rate = rate;
    this.#concurrency = shape.concurrency;
    this.#owner = owner;
    this.#onRate = () => owner.onRate();
    this.rings = new LaneRings(names, shape, order);
    this.parking = this.rings.parking;
  }

  /** Deliveries that are neither succeeded nor handed back. */
  get unsettled(): number {
    return this.rings.unsettled + this.backlog.size + this.parking.size;
  }

  /** What does not run: of what lies in the rings as many do as may, when somebody reads. */
  waiting(isRead: boolean): Waiting {
    const inRings = Math.max(0, this.rings.unsettled - (isRead ? this.#concurrency : 0));
    const bytes = this.rings.waitingBytes + this.backlog.bytes + this.parking.bytes;
    return { deliveries: inRings + this.backlog.size + this.parking.size, bytes };
  }

  /** Of one moment. */
  account(): LaneAccount {
    const { succeeded, unsettled } = this.rings.account();
    return { succeeded, unsettled: unsettled + this.backlog.size + this.parking.size };
  }

  /** Takes the delivery if a ring has room for it, and none waits that must come first. Copies its bytes. */
  offer(delivery: Delivery): boolean {
    if (this.backlog.size > 0 && this.backlog.has(delivery.priority)) return false;
    return !this.parking.holds(delivery) && this.#write(delivery);
  }

  /** Lets a delivery wait on main; to be followed by {@link refill}. */
  push(delivery: Delivery): void {
    if (this.parking.isHead(delivery)) this.backlog.prepend([delivery]);
    else this.backlog.push(delivery);
  }

  /** Moves the backlog into the rings as far as they have room. True: there is something in them. */
  refill(): boolean {
    do {
      this.#isHeldUp = false;
      this.backlog.moveTo((delivery) => this.parking.takes(delivery) || this.#write(delivery));
    } while (this.rings.wantRoom(this.backlog) && !this.#isHeldUp);
    return this.rings.unsettled > 0;
  }

  /** True when a ring has the room that the backlog waits for. */
  get canRefill(): boolean {
    return this.backlog.size > 0 && this.rings.hasWantedRoom;
  }

  /** Lets go of what is over, and takes out of the parking what no longer has to wait for a verdict. True: there was something; {@link refill}. */
  goOn(): boolean {
    this.rings.large.letGo(() => this.rings.outbox.hasNext);
    if (this.parking.isIdle) return false;
    const ready = this.parking.takeReady();
    if (ready.length > 0) this.backlog.prepend(ready);
    return ready.length > 0;
  }

  /** Moves all that lies in the rings back to main, before what waits there. Only while nobody reads. */
  emptyRings(): void {
    const unread: Delivery[] = [];
    this.rings.repair();
    for (const delivery of this.rings.takeAll()) {
      // What its worker would have sent back unread waits for the verdict that it would have waited for.
      if (!this.parking.holds(delivery) || !this.parking.bounced(delivery)) unread.push(delivery);
    }
    this.backlog.prepend(unread);
  }

  /** Takes everything out. Only while nobody reads. */
  takeAll(): Delivery[] {
    return [...this.rings.takeAll(), ...this.parking.clear(), ...this.backlog.clear()];
  }

  #write(delivery: Delivery): boolean {
    if (this.#rate === null) return this.#writeNow(delivery);
    this.#isHeldUp = !this.#owner.mayFeed() || !this.#rate.isReady(this.#onRate);
    if (this.#isHeldUp || !this.#writeNow(delivery)) return false;
    this.#rate.spend();
    return true;
  }

  #writeNow(delivery: Delivery): boolean {
    if (this.rings.write(delivery)) return true;
    if (this.rings.has(delivery)) return false;
    this.#isHeldUp = !this.#owner.mayOpen();
    if (this.#isHeldUp) return false;
    this.rings.open(delivery);
    return this.rings.write(delivery);
  }
}
