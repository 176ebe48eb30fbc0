// The main half of a lane: feeds its rings, gives it a thread, collects its outcomes, and mends it when a thread dies.
import { systemClock } from '../shared/clock.js';
import type { Delivery } from '../shared/delivery.js';
import type { LaneTaskResult, LoadFailure } from '../shared/lane-task.js';
import { within } from '../shared/within.js';
import type { Backlog } from './backlog.js';
import { Blame } from './blame.js';
import { drainTask } from './drain-task.js';
import type { LaneEvents, LaneOptions, LaneState, LaneSurroundings, Waiting } from './lane-contract.js';
import { LaneOutcomes } from './lane-outcomes.js';
import { LaneQueue } from './lane-queue.js';
import type { LaneAccount } from './lane-ring.js';
import { LaneSignals } from './lane-signals.js';
import { LaneThread } from './lane-thread.js';
import { lostWhileLoading } from './load-failure.js';
import type { Parking } from './parking.js';
import { Patience } from './patience.js';
import { type ThreadEnd, ThreadLost } from './pool.js';
import { STORM_DEATHS, STORM_WINDOW_MS, Standstill, UNLOADED_MS } from './standstill.js';
import type { TurnTaker } from './turns.js';

/** A thread that was told to end has ended by then, or is in a long native call, in milliseconds. */
const LINGERS_MS = 1000;

/** One partition of one subscription. Runs on the main thread. */
export class Lane implements TurnTaker {
  readonly backlog: Backlog;
  readonly parking: Parking;
  readonly #queue: LaneQueue;
  readonly #options: LaneOptions;
  readonly #surroundings: LaneSurroundings;
  readonly #events: LaneEvents;
  readonly #signals = new LaneSignals();
  #state: LaneState = 'idle';
  readonly #thread: LaneThread;
  readonly #standstill: Standstill;
  #isPaused = false;
  #isHalted = false;
  readonly #blame: Blame;
  readonly #outcomes: LaneOutcomes;
  #ended: Promise<boolean> = Promise.resolve(false);
  #gone: Promise<void> = Promise.resolve();

  constructor(options: LaneOptions, surroundings: LaneSurroundings, events: LaneEvents) {
    this.#options = options;
    this.#surroundings = surroundings;
    this.#events = events;
    const refill = (): void => this.refill();
    const mayFeed = (): boolean => !this.#isPaused && this.#state !== 'held' && this.#state !== 'storm';
    this.#queue = new LaneQueue(options, { mayOpen: () => this.#mayOpenRing(), mayFeed, onRate: refill });
    this.backlog = this.#queue.backlog;
    this.parking = this.#queue.parking;
    this.#outcomes = new LaneOutcomes(options, this.#queue, this.#signals, events, this);
    this.#standstill = new Standstill(surroundings.clock, options.breaker?.local ?? null, (reason) => {
      if (this.#state !== reason) return;
      this.#state = 'idle';
      this.refill();
    });
    this.#blame = new Blame(new Patience(options.deadline, options.graceMs), options.isQuarantine);
    const lookAgain = (): void => this.checkDeadlines(surroundings.clock.elapsed());
    this.#thread = new LaneThread(this.#queue.rings, this.#signals, this.#blame, options, lookAgain);
  }

  get state(): LaneState {
    return this.#state;
  }

  /** Deliveries that this lane still has to see to: in rings, in the backlog, or parked. */
  get unsettled(): number {
    return this.#queue.unsettled;
  }

  /** What of it does not run. */
  get waiting(): Waiting {
    return this.#queue.waiting(this.#state === 'draining');
  }

  /** As {@link unsettled}, and how many have succeeded, of one moment: the worker goes on counting. */
  readonly account = (): LaneAccount => this.#queue.account();

  /** Deliveries whose handler runs now, as far as can be seen. */
  get inFlight(): number {
    return this.#state === 'draining' || this.#state === 'ending' ? this.#queue.rings.started().length : 0;
  }

  /** Takes the delivery if a ring has room for it, and none waits that must come first. Copies its bytes. */
  offer(delivery: Delivery): boolean {
    const isTaken = this.#queue.offer(delivery);
    if (isTaken) this.#wake();
    return isTaken;
  }

  /** Lets a delivery wait on main. It must own its bytes. */
  queue(delivery: Delivery): void {
    this.#queue.push(delivery);
    this.refill();
  }

  /** The verdict on a delivery that others may wait for. False: none does. */
  release(number: number): boolean {
    const isHead = this.parking.release(number);
    if (isHead && this.#queue.goOn()) this.refill();
    return isHead;
  }

  /** Moves the backlog into the rings as far as they have room. */
  refill(): void {
    if (this.#queue.refill()) this.#wake();
  }

  /** Reads what the worker told, up to `most` replies or fewer other outcomes. True: there is more. @param isGone nothing runs there */
  collect(most: number, isGone = false): boolean {
    this.#outcomes.read(most, !isGone);
    if (this.#queue.goOn() || this.backlog.size > 0) this.refill();
    if (this.#isExiting) this.#thread.bury();
    return this.#outcomes.hasNext;
  }

  /** True when {@link collect} would find something. */
  get hasNews(): boolean {
    return this.#outcomes.hasNext || this.#queue.canRefill || this.#isExiting;
  }

  get #isExiting(): boolean {
    return this.#state === 'draining' && this.#thread.hasExited;
  }

  /** Its drain runs, and does not sleep: what it is given, it takes at once. */
  get isAwake(): boolean {
    return this.#state === 'draining' && this.#signals.isHeeded;
  }

  /** Ends the thread if a handler ran past its deadline and the grace, or nothing runs there any more. */
  checkDeadlines(elapsed: number): void {
    if (this.#queue.goOn()) this.refill();
    this.#blame.patience.fit(elapsed);
    if (this.#state !== 'draining') return;
    this.#thread.check(elapsed);
  }

  /** Stops taking turns; what runs, ends first. */
  pause(): void {
    this.#isPaused = true;
    this.#halt();
  }

  /** What its drain was given is out of date: it ends as soon as nothing is in flight, and the next one begins. */
  renew(): void {
    if (this.#state === 'draining') this.#signals.askToLeave();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.unsettled > 0) this.refill();
  }

  /** Calls `then` once what runs now has ended and all else waits on main; a thread that does not end keeps what is in its rings. */
  async whileAllWaits(then: () => void): Promise<void> {
    this.#isHalted = true;
    this.#halt();
    if (this.#state === 'draining') await this.#ended;
    this.#isHalted = false;
    if (this.#state !== 'ending' && this.#state !== 'closed') this.#queue.emptyRings();
    then();
    this.#queue.goOn();
    this.refill();
  }

  /** Stops for good: ends the thread if it is still busy, and returns what was not settled. */
  async close(): Promise<Delivery[]> {
    this.pause();
    this.#standstill.cancel();
    if (this.#state === 'draining') {
      const timer = this.#thread.end();
      await this.#ended;
      timer.cancel();
    }
    if (this.#state === 'ending') await within(systemClock, LINGERS_MS, () => this.#gone, undefined, true);
    this.#state = 'closed';
    while (this.collect(1000, true));
    this.#queue.rings.repair();
    return this.#queue.takeAll();
  }

  readonly share = (isWanted: boolean): void => this.#signals.share(isWanted);

  take(): Promise<boolean> {
    this.#ended = this.#drain();
    return this.#ended;
  }

  async #drain(): Promise<boolean> {
    // Paused or closed after its turn was granted.
    if (this.#state !== 'waiting') return false;
    this.#state = 'draining';
    const { pool, clock, takeMs } = this.#surroundings;
    const kill = this.#thread.begin(clock.elapsed(), takeMs(this.#options.handler));
    const number = this.#signals.beginDrain();
    const task = drainTask(this.#options, this.#queue.rings, this.#signals, this.#surroundings, this.#blame, number);
    this.#outcomes.begin();
    try {
      const result = await pool.run(task, kill);
      this.#state = 'ending';
      while (this.collect(1000, true));
      this.#gaveBack(result);
    } catch (lost) {
      if (!(lost instanceof ThreadLost)) throw lost;
      this.#state = 'ending';
      if (lost.gone !== null) {
        this.#gone = this.#outlive(lost.gone, lost.end);
        return false;
      }
      while (this.collect(1000, true));
      this.#lost(lost.end);
    }
    return this.#wantsTurn();
  }

  /** Until its thread is gone, which may write what its handler comes to, the lane's rings and messages are nobody else's. */
  async #outlive(gone: Promise<void>, end: ThreadEnd): Promise<void> {
    const timer = systemClock.after(LINGERS_MS, () => this.#events.lingers(LINGERS_MS));
    await gone;
    timer.cancel();
    if (this.#state !== 'ending') return;
    while (this.collect(1000, true));
    this.#lost(end);
    this.refill();
  }

  /** True, and waiting from here on, when there is work and nothing that keeps this lane from it. */
  #wantsTurn(): boolean {
    if (this.#state !== 'idle' || this.#isPaused || this.#isHalted || this.#queue.rings.unsettled === 0) return false;
    this.#state = 'waiting';
    return true;
  }

  #halt(): void {
    this.#surroundings.turns.cancel(this);
    if (this.#state === 'waiting') this.#state = 'idle';
    this.#signals.askToLeave();
  }

  #gaveBack(result: LaneTaskResult): void {
    this.#state = 'idle';
    if (result.kind === 'held') this.#standStill('held');
    else if (result.kind === 'not-loaded') this.#notLoaded(result.failure);
  }

  /** The thread is gone: names the culprit, hands over those that may be it, absolves the others. */
  #lost(end: ThreadEnd): void {
    const { handler, breaker } = this.#options;
    const now = this.#surroundings.clock.elapsed();
    const { killed, cause, suspected, isExplained } = this.#thread.holdInquest(end, breaker?.local, now);
    for (const delivery of suspected) this.parking.whileDeciding(delivery, () => this.#events.suspected(delivery));
    const { exitCode, isSettingUp } = this.#signals;
    for (const { delivery, ...times } of killed)
      this.parking.whileDeciding(delivery, () => this.#events.killed(delivery, { cause, exitCode, ...times }));
    // Not before: what goes on in the meantime would ask for a turn that this lane still has.
    this.#state = 'idle';
    // Its threads would take the time of others for as long again and again.
    if (!this.#signals.hasBegun && (end === 'stuck' || end === 'deaf'))
      this.#notLoaded(lostWhileLoading(handler, end, isSettingUp), handler.setupTimeoutMs);
    else if (!isExplained && !this.#outcomes.hadAbandoned) this.#died();
    this.#events.heard();
  }

  /** A death that no delivery is to blame for. True: of that many, the lane stands still. */
  #died(): boolean {
    if (!this.#standstill.died()) return false;
    this.#standStill('storm');
    this.#events.storm(STORM_DEATHS, STORM_WINDOW_MS);
    return true;
  }

  #notLoaded(failure: LoadFailure, retryMs = UNLOADED_MS): void {
    this.#events.unloaded(failure);
    if (!this.#died()) this.#standStill('held', retryMs);
  }

  #standStill(reason: 'held' | 'storm', unloadedMs = 0): void {
    this.#state = reason;
    this.#standstill.begin(reason, unloadedMs);
  }

  #wake(): void {
    this.#surroundings.watch();
    if (this.#state === 'draining') {
      if (this.#options.tellsHandled) this.#signals.ringSoon();
      else this.#signals.ringForDelivery();
    } else if (this.#wantsTurn()) {
      this.#surroundings.turns.request(this);
    }
  }

  #mayOpenRing(): boolean {
    this.renew();
    return this.#state !== 'closed';
  }
}
