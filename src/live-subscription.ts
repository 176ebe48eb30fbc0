// One subscription as the bus has it: its lanes, its limits, its accounting.

import type { ResolvedSubscribeOptions } from './options.js';
import { QueueLimit } from './queue-limit.js';
import { laneOfKey } from './routing/partition.js';
import type { SharedBreaker } from './shared/breaker.js';
import { type Delivery, ownDelivery } from './shared/delivery.js';
import type { SubscriptionHealth } from './shared/health-status.js';
import type { AnyLane } from './threads/threads.js';
import { Trails } from './trails.js';

/** What {@link LiveSubscription.accept} came to; what was evicted must be settled. */
export interface Acceptance {
  readonly isAccepted: boolean;
  readonly evicted: readonly Delivery[];
}

const ACCEPTED: Acceptance = { isAccepted: true, evicted: [] };
const REFUSED: Acceptance = { isAccepted: false, evicted: [] };

/** Runs on the main thread. */
export class LiveSubscription {
  readonly pattern: string;
  readonly options: ResolvedSubscribeOptions;
  readonly breaker: SharedBreaker | null;
  /** Filled once by its maker. */
  readonly lanes: AnyLane[] = [];
  readonly trails = new Trails();
  readonly #limit: QueueLimit;
  #nextLane = 0;
  /** False once its maker has taken it back. */
  isOpen = true;
  /** Its lanes are gone: what still comes for it is given up. */
  isClosed = false;
  isPaused = false;
  /** The threads of a lane keep dying. */
  hasStorm = false;
  routed = 0;
  deadLettered = 0;
  dropped = 0;
  retrying = 0;
  /** Deliveries whose fate is being decided, or whose dead letter is on its way to the disk. */
  settling = 0;

  constructor(pattern: string, options: ResolvedSubscribeOptions, breaker: SharedBreaker | null) {
    this.pattern = pattern;
    this.options = options;
    this.breaker = breaker;
    this.#limit = new QueueLimit({ deliveries: options.maxQueueSize, bytes: options.maxQueueBytes });
  }

  get subscriberId(): string {
    return this.options.subscriberId;
  }

  get succeeded(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.succeeded, 0);
  }

  get pending(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.unsettled, 0) + this.retrying + this.settling;
  }

  /** Takes a delivery in, or says that there is no room. Copies its bytes. */
  accept(delivery: Delivery, elapsed: () => number): Acceptance {
    const lane = this.#laneFor(delivery);
    if (this.#limit.hasRoom()) {
      this.#give(lane, delivery);
      return ACCEPTED;
    }
    const evicted: Delivery[] = [];
    for (;;) {
      const canEvict = delivery.priority !== 'low' && this.lanes.some(({ backlog }) => backlog.has('low'));
      const admission = this.#limit.admit(this.#depth(), canEvict, elapsed());
      if (admission === 'refuse') return evicted.length === 0 ? REFUSED : { isAccepted: false, evicted };
      if (admission === 'accept') {
        this.#give(lane, delivery);
        return evicted.length === 0 ? ACCEPTED : { isAccepted: true, evicted };
      }
      const victim = this.lanes.find(({ backlog }) => backlog.has('low'))?.backlog.evict('low');
      if (victim !== undefined) evicted.push(victim);
    }
  }

  /** Takes a delivery back that was accepted before: limits do not apply. It must own its bytes. */
  requeue(delivery: Delivery): void {
    const lane = this.lanes.find(({ parking }) => parking.isHead(delivery)) ?? this.#laneFor(delivery);
    if (!lane.offer(delivery)) lane.queue(delivery);
  }

  /** The final verdict on a delivery that did not succeed: those that wait for it go on. */
  release({ number }: Delivery): void {
    for (const lane of this.lanes) if (lane.release(number)) return;
  }

  health(): SubscriptionHealth & { breakerName: string; storm: boolean } {
    return {
      subscriberId: this.subscriberId,
      pattern: this.pattern,
      routed: this.routed,
      succeeded: this.succeeded,
      deadLettered: this.deadLettered,
      dropped: this.dropped,
      pending: this.pending,
      inFlight: this.lanes.reduce((sum, lane) => sum + lane.inFlight, 0),
      retrying: this.retrying,
      lanes: this.lanes.length,
      breaker: this.breaker?.state ?? null,
      held: this.lanes.some(({ state }) => state === 'held' || state === 'storm'),
      breakerName: this.options.breakerName,
      storm: this.lanes.some(({ state }) => state === 'storm'),
    };
  }

  #give(lane: AnyLane, delivery: Delivery): void {
    if (!lane.offer(delivery)) lane.queue(ownDelivery(delivery));
  }

  /** A key always has the same lane; without one, the lane with the least work of two. */
  #laneFor(delivery: Delivery): AnyLane {
    const { lanes } = this;
    if (lanes.length === 1) return lanes[0] as AnyLane;
    if (delivery.key !== null) return lanes[laneOfKey(delivery.key, lanes.length)] as AnyLane;
    this.#nextLane = (this.#nextLane + 1) % lanes.length;
    const one = lanes[this.#nextLane] as AnyLane;
    const other = lanes[(this.#nextLane + 1) % lanes.length] as AnyLane;
    return other.unsettled < one.unsettled ? other : one;
  }

  /** What waits: not what runs already. */
  #depth(): { deliveries: number; bytes: number } {
    let deliveries = 0;
    let bytes = 0;
    for (const lane of this.lanes) {
      deliveries += Math.max(0, lane.unsettled - this.options.concurrency);
      bytes += lane.backlog.bytes + lane.parking.bytes;
    }
    return { deliveries, bytes };
  }
}
