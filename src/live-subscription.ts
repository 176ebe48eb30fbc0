// One subscription as the bus has it: its lanes, its limits, its accounting.

import { evictFor } from './eviction.js';
import { type QueueDepth, QueueLimit } from './queue-limit.js';
import type { ResolvedSubscribeOptions } from './resolved-options.js';
import { laneOfKey } from './routing/partition.js';
import type { SharedBreaker } from './shared/breaker.js';
import type { Clock } from './shared/clock.js';
import { type Delivery, ownDelivery } from './shared/delivery.js';
import type { SubscriptionHealth } from './shared/health-status.js';
import type { HandlerSource } from './shared/lane-task.js';
import type { LaneState } from './threads/lane-contract.js';
import { MainLane } from './threads/main-lane.js';
import { RateLimit } from './threads/rate-limit.js';
import type { AnyLane } from './threads/threads.js';
import { Trails } from './trails.js';

/** Of more lanes, so many in turn are looked at for the one with the least work: each look costs about 10 ns. */
const MOST_LOOKS = 8;

const NONE: readonly Delivery[] = [];

/** In these a lane stands still, though it has work. */
const HELD: readonly LaneState[] = ['ending', 'held', 'storm'];

/** What {@link LiveSubscription.accept} came to; what was evicted, or has expired, must be settled. */
export interface Acceptance {
  readonly isAccepted: boolean;
  readonly evicted: readonly Delivery[];
  readonly expired: readonly Delivery[];
}

const ACCEPTED: Acceptance = { isAccepted: true, evicted: NONE, expired: NONE };

/** Runs on the main thread. */
export class LiveSubscription {
  readonly pattern: string;
  readonly options: ResolvedSubscribeOptions;
  readonly breaker: SharedBreaker | null;
  /** Filled once by its maker. */
  readonly lanes: AnyLane[] = [];
  /** Adds one more lane, to which no message is routed. Set by its maker, where threads run handlers. */
  addQuarantine!: () => AnyLane;
  /** Where what has ended a thread, or may have, runs one at a time, apart from all others. */
  #quarantine: AnyLane | undefined;
  /** Numbers of such deliveries, until their verdict. */
  readonly #suspects = new Set<number>();
  readonly trails = new Trails();
  /** Undefined: a plain function, or not loaded yet. */
  source: HandlerSource | undefined;
  /** What its lanes share; null: no limit. */
  readonly rate: RateLimit | null;
  readonly #limit: QueueLimit;
  readonly #clock: Clock;
  #nextLane = 0;
  /** False once its maker has taken it back. */
  isOpen = true;
  isPaused = false;
  /** Its lanes are gone: what still comes for it is given up. */
  isClosed = false;
  /** Nobody waits any more for what it has. */
  isCutShort = false;
  /** The threads of a lane keep dying. */
  hasStorm = false;
  routed = 0;
  deadLettered = 0;
  dropped = 0;
  /** Deliveries that wait for their next attempt, and the bytes of their payloads. */
  retrying = 0;
  #retryingBytes = 0;
  /** Deliveries whose fate is being decided, or whose dead letter is on its way to the disk. */
  settling = 0;

  readonly #onPressure: (subscription: LiveSubscription) => void;

  /** @param onPressure told when the queue comes to its high watermark */
  constructor(
    pattern: string,
    options: ResolvedSubscribeOptions,
    breaker: SharedBreaker | null,
    clock: Clock,
    onPressure: (subscription: LiveSubscription) => void,
  ) {
    this.pattern = pattern;
    this.options = options;
    this.breaker = breaker;
    this.rate = options.rateLimit === undefined ? null : new RateLimit(options.rateLimit, clock);
    this.#clock = clock;
    this.#onPressure = onPressure;
    this.#limit = new QueueLimit({ deliveries: options.maxQueueSize, bytes: options.maxQueueBytes });
  }

  get subscriberId(): string {
    return this.options.subscriberId;
  }

  get breakerName(): string {
    return this.options.breakerName;
  }

  /** Milliseconds until its open breaker lets a probe through; 0 when it is not open, or was opened by hand. */
  get retryAfterMs(): number {
    return this.breaker?.retryAfterMs ?? 0;
  }

  get pending(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.unsettled, 0) + this.retrying + this.settling;
  }

  /** Above its high watermark, and not yet below the low one again. */
  get isPressed(): boolean {
    return this.#limit.isPressed;
  }

  /**
   * Takes a delivery in, or says that there is no room. Copies its bytes.
   *
   * @param isLater it is only admitted now; its time comes later
   */
  accept(delivery: Delivery, isLater = false): Acceptance {
    const hasRoom = this.#limit.hasRoom(delivery.bytes.length);
    const acceptance = hasRoom ? ACCEPTED : this.#makeRoom(delivery);
    if (acceptance.isAccepted && !isLater) this.bring(delivery);
    if (!hasRoom && this.#limit.presses(this.depth())) this.#onPressure(this);
    return acceptance;
  }

  /** True once, when the queue has come down to its low watermark. */
  hasDrained(): boolean {
    return this.#limit.drains(this.depth());
  }

  /** A delivery waits on main for its next attempt. */
  startsWaiting({ bytes }: Delivery): void {
    this.retrying++;
    this.#retryingBytes += bytes.length;
  }

  /** It is over. */
  endsWaiting({ bytes }: Delivery): void {
    this.retrying--;
    this.#retryingBytes -= bytes.length;
  }

  pause(): void {
    this.isPaused = true;
    for (const lane of this.lanes) lane.pause();
  }

  resume(): void {
    this.isPaused = false;
    for (const lane of this.lanes) lane.resume();
  }

  /** Takes a delivery back that was accepted before: limits do not apply. It must own its bytes. */
  requeue(delivery: Delivery): void {
    const lane = this.#suspects.has(delivery.number)
      ? this.#inQuarantine()
      : (this.lanes.find(({ parking }) => parking.isHead(delivery)) ?? this.#laneFor(delivery));
    if (!lane.offer(delivery)) lane.queue(delivery);
  }

  /** It has ended a thread, or may have: from here on it runs in quarantine. */
  suspect({ number }: Delivery): void {
    this.#suspects.add(number);
  }

  /** The final verdict on a delivery, or its success after others may have had to wait for it: those go on. */
  release(number: number): void {
    this.#suspects.delete(number);
    for (const lane of this.lanes) if (lane.release(number)) return;
  }

  /** Takes a delivery in that the transport brought: it asks for no more than there is room for. Copies its bytes if it has to wait. */
  arrive(delivery: Delivery): void {
    const lane = this.#laneFor(delivery);
    if (lane instanceof MainLane ? lane.arrive(delivery) : lane.offer(delivery)) return;
    lane.queue(ownDelivery(delivery));
  }

  /** Takes a delivery in that was admitted. Copies its bytes. */
  bring(delivery: Delivery): void {
    const lane = this.#laneFor(delivery);
    if (!lane.offer(delivery)) lane.queue(ownDelivery(delivery));
  }

  /** What waits: not what runs already. */
  depth(): QueueDepth {
    let deliveries = this.retrying;
    let bytes = this.#retryingBytes;
    for (const lane of this.lanes) {
      const waiting = lane.waiting;
      deliveries += waiting.deliveries;
      bytes += waiting.bytes;
    }
    return { deliveries, bytes };
  }

  health(): SubscriptionHealth & { breakerName: string; storm: boolean } {
    const accounts = this.lanes.map((lane) => lane.account());
    return {
      subscriberId: this.subscriberId,
      pattern: this.pattern,
      routed: this.routed,
      succeeded: accounts.reduce((sum, { succeeded }) => sum + succeeded, 0),
      deadLettered: this.deadLettered,
      dropped: this.dropped,
      pending: accounts.reduce((sum, { unsettled }) => sum + unsettled, this.retrying + this.settling),
      inFlight: this.lanes.reduce((sum, lane) => sum + lane.inFlight, 0),
      retrying: this.retrying,
      putOffOften: this.trails.putOffOften,
      lanes: Math.min(this.lanes.length, this.options.lanes),
      breaker: this.breaker?.state ?? null,
      held: this.lanes.some(({ state }) => HELD.includes(state)),
      paused: this.isPaused,
      breakerName: this.options.breakerName,
      pressed: this.isPressed,
      storm: this.lanes.some(({ state }) => state === 'storm'),
    };
  }

  #makeRoom(newcomer: Delivery): Acceptance {
    const elapsed = this.#clock.elapsed();
    const bytes = newcomer.bytes.length;
    const fits = (): boolean => this.#limit.fits(this.depth(), bytes, elapsed);
    if (fits()) return ACCEPTED;
    const expired = this.takeExpired();
    const evicted: Delivery[] = [];
    while (!fits()) {
      // What is in quarantine has begun before, and must show whether it is to blame.
      const victim = evictFor(newcomer, this.lanes.slice(0, this.options.lanes), this.options.overflow);
      if (victim === undefined) {
        const isDefault = this.options.overflow === undefined;
        return { isAccepted: isDefault && this.#limit.expands(this.depth(), bytes, elapsed), evicted, expired };
      }
      evicted.push(victim);
    }
    return { isAccepted: true, evicted, expired };
  }

  /** Takes out what waits on main and has outlived its time: it must be settled. */
  takeExpired(): Delivery[] {
    const now = this.#clock.now();
    return this.lanes.flatMap(({ backlog, parking }) => [...backlog.takeExpired(now), ...parking.takeExpired(now)]);
  }

  /**
   * Takes out those of which this is true and that do not run. Resolves once what runs now has ended.
   *
   * @param takePutOff takes those among them that wait for their next attempt
   */
  async takeWaiting(isWanted: (delivery: Delivery) => boolean, takePutOff: () => Delivery[]): Promise<Delivery[]> {
    const some: Delivery[][] = [];
    const takeFrom = ({ backlog, parking }: AnyLane): void => {
      some.push(backlog.takeWhere(isWanted), parking.takeWhere(isWanted), takePutOff());
    };
    await Promise.all(this.lanes.map((lane) => lane.whileAllWaits(() => takeFrom(lane))));
    const taken = some.flat();
    // Not before: what waits behind one of them in another lane is taken, too, and does not go on.
    for (const { number } of taken) this.release(number);
    return taken;
  }

  #inQuarantine(): AnyLane {
    if (this.#quarantine !== undefined) return this.#quarantine;
    this.#quarantine = this.addQuarantine();
    if (this.isPaused) this.#quarantine.pause();
    return this.#quarantine;
  }

  /** A key always has the same lane; without one, it is the lane with the least work, in turn where several have as little. */
  #laneFor(delivery: Delivery): AnyLane {
    const { lanes } = this;
    const { lanes: count } = this.options;
    if (count === 1) return lanes[0] as AnyLane;
    if (delivery.key !== null) return lanes[laneOfKey(delivery.key, count)] as AnyLane;
    this.#nextLane = (this.#nextLane + 1) % count;
    let least = lanes[this.#nextLane] as AnyLane;
    let work = least.unsettled;
    for (let look = 1; look < count && look < MOST_LOOKS && work > 0; look++) {
      const lane = lanes[(this.#nextLane + look) % count] as AnyLane;
      const itsWork = lane.unsettled;
      if (itsWork >= work) continue;
      least = lane;
      work = itsWork;
    }
    return least;
  }
}
