// The main half of a lane: feeds its rings, gives it a thread, collects its outcomes, and mends it when a thread dies.
import { systemClock, type Timer } from '../shared/clock.js';
import { type Delivery, ownDelivery, readDelivery } from '../shared/delivery.js';
import { Doorbell } from '../shared/doorbell.js';
import { type DrainTask, type LaneTaskResult, TURN_BYTES, Turn } from '../shared/lane-task.js';
import { handsBack, Outcome, outcomeKind, readOutcome } from '../shared/outcome.js';
import { readReply } from '../shared/reply.js';
import { StormGuard } from '../shared/storm-guard.js';
import { Backlog } from './backlog.js';
import { Blame } from './blame.js';
import { KnownFailures } from './known-failures.js';
import type { LaneEvents, LaneOptions, LaneState, LaneSurroundings } from './lane-contract.js';
import { LaneRings } from './lane-rings.js';
import { type ThreadEnd, ThreadLost } from './pool.js';
import type { TurnTaker } from './turns.js';

/** An open breaker is looked at again this soon at the latest, in milliseconds. */
const HELD_POLL_MS = 50;
/** A drain that has nothing in flight leaves within this time when asked, in milliseconds, or is ended. */
const LEAVE_MS = 200;
/** This many deaths without a culprit within the window make a storm. */
const STORM_DEATHS = 5;
const STORM_WINDOW_MS = 60_000;

/** One partition of one subscription. Runs on the main thread. */
export class Lane implements TurnTaker {
  readonly backlog = new Backlog();
  readonly #rings: LaneRings;
  readonly #options: LaneOptions;
  readonly #surroundings: LaneSurroundings;
  readonly #events: LaneEvents;
  readonly #bellMemory = Doorbell.allocate();
  readonly #bell = new Doorbell(this.#bellMemory);
  readonly #turn = new SharedArrayBuffer(TURN_BYTES);
  readonly #turnWords = new Int32Array(this.#turn);
  #state: LaneState = 'idle';
  #kill = new AbortController();
  #killedAt = 0;
  #timer: Timer | undefined;
  #isPaused = false;
  readonly #blame: Blame;
  readonly #known = new KnownFailures();
  readonly #storm = new StormGuard(STORM_DEATHS, STORM_WINDOW_MS);
  #ended: Promise<boolean> = Promise.resolve(false);

  constructor(options: LaneOptions, surroundings: LaneSurroundings, events: LaneEvents) {
    this.#options = options;
    this.#surroundings = surroundings;
    this.#events = events;
    this.#rings = new LaneRings(options.names, options.shape);
    this.#blame = new Blame(options.timeoutMs + options.graceMs);
  }

  get state(): LaneState {
    return this.#state;
  }

  /** Deliveries that this lane still has to see to: in rings and in the backlog. */
  get unsettled(): number {
    return this.#rings.unsettled + this.backlog.size;
  }

  /** Deliveries whose handler succeeded. */
  get succeeded(): number {
    return this.#rings.succeeded;
  }

  /** Deliveries whose handler runs now, as far as can be seen. */
  get inFlight(): number {
    return this.#state === 'draining' ? this.#rings.started().length : 0;
  }

  /** Takes the delivery if a ring has room for it, and no earlier one of its priority waits. Copies its bytes. */
  offer(delivery: Delivery): boolean {
    if (this.backlog.size > 0 && this.backlog.has(delivery.priority)) return false;
    if (!this.#rings.write(delivery)) {
      if (this.#rings.has(delivery) || this.#state === 'closed') return false;
      this.#openRing(delivery);
      if (!this.#rings.write(delivery)) return false;
    }
    this.#wake();
    return true;
  }

  /** Lets a delivery wait on main. It must own its bytes. */
  queue(delivery: Delivery, first = false): void {
    if (first) this.backlog.unshift(delivery);
    else this.backlog.push(delivery);
    this.refill();
  }

  /** Moves the backlog into the rings as far as they have room. */
  refill(): void {
    do {
      this.backlog.moveTo((delivery) => {
        if (!this.#rings.has(delivery)) this.#openRing(delivery);
        return this.#rings.write(delivery);
      });
    } while (this.#rings.wantRoom(this.backlog));
    if (this.#rings.unsettled > 0) this.#wake();
  }

  /** Reads what the worker told, up to `most` outcomes. True: there is more. */
  collect(most: number): boolean {
    const { outbox } = this.#rings;
    let read = 0;
    while (read < most) {
      const word = outbox.next();
      if (word < 0) break;
      read++;
      if (outcomeKind(outbox, word) === Outcome.REPLIED) this.#events.replied(readReply(outbox, word));
      else this.#take(word);
    }
    if (read > 0) {
      outbox.release();
      this.#events.heard();
    }
    if (this.backlog.size > 0) this.refill();
    return outbox.hasNext;
  }

  /** True when {@link collect} would find something. */
  get hasNews(): boolean {
    return this.#rings.outbox.hasNext || (this.backlog.size > 0 && this.#rings.hasWantedRoom);
  }

  /** Ends the thread if a handler ran past its deadline and the grace. */
  checkDeadlines(elapsed: number): void {
    if (this.#state !== 'draining') return;
    if (this.#blame.isResolved()) this.#askToLeave();
    if (this.#kill.signal.aborted || !this.#rings.started().some((attempt) => this.#blame.isOverdue(attempt, elapsed)))
      return;
    this.#killedAt = elapsed;
    this.#kill.abort();
  }

  /** Stops taking turns; what runs, ends first. */
  pause(): void {
    this.#isPaused = true;
    this.#surroundings.turns.cancel(this);
    if (this.#state === 'waiting') this.#state = 'idle';
    this.#askToLeave();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.unsettled > 0) this.refill();
  }

  /** Stops for good: ends the thread if it is still busy, and returns what was not settled. */
  async close(): Promise<Delivery[]> {
    this.pause();
    this.#timer?.cancel();
    if (this.#state === 'draining') await this.#endDrain();
    this.#state = 'closed';
    while (this.collect(1000));
    this.#rings.repair();
    return [...this.#rings.takeAll(), ...this.backlog.clear()];
  }

  /** An idle drain leaves when asked; one whose handler runs has to be ended. */
  async #endDrain(): Promise<void> {
    const kill = (): void => this.#kill.abort();
    const timer = systemClock.after(this.#rings.started().length > 0 ? 0 : LEAVE_MS, kill, true);
    await this.#ended;
    timer.cancel();
  }

  share(isWanted: boolean): void {
    Atomics.store(this.#turnWords, Turn.SHARE, isWanted ? 1 : 0);
    if (isWanted) this.#bell.ring();
  }

  take(): Promise<boolean> {
    this.#ended = this.#drain();
    return this.#ended;
  }

  async #drain(): Promise<boolean> {
    this.#state = 'draining';
    this.#kill = new AbortController();
    Atomics.store(this.#turnWords, Turn.LEAVE, 0);
    try {
      const result = await this.#surroundings.pool.run(this.#task(), this.#kill.signal);
      while (this.collect(1000));
      this.#gaveBack(result);
    } catch (lost) {
      if (!(lost instanceof ThreadLost)) throw lost;
      while (this.collect(1000));
      this.#lost(lost.end);
    }
    return this.#wantsTurn();
  }

  /** True, and waiting from here on, when there is work and nothing that keeps this lane from it. */
  #wantsTurn(): boolean {
    if (this.#state !== 'idle' || this.#isPaused || this.#rings.unsettled === 0) return false;
    this.#state = 'waiting';
    return true;
  }

  #task(): DrainTask {
    const { handler, names, shape, breaker, whenOpen, timeoutMs, bytes, redact, describeErrors } = this.#options;
    return {
      kind: 'drain',
      handler,
      names,
      rings: this.#rings.memories,
      outbox: this.#rings.outboxMemory,
      bell: this.#bellMemory,
      mainBell: this.#surroundings.mainBell,
      turn: this.#turn,
      time: this.#surroundings.clock.memory ?? null,
      breaker: breaker?.memory ?? null,
      breakers: this.#surroundings.breakers.memory,
      whenOpen,
      timeoutMs,
      concurrency: this.#blame.hasSuspects ? 1 : shape.concurrency,
      bytes,
      redact,
      describeErrors,
    };
  }

  #gaveBack(result: LaneTaskResult): void {
    this.#state = 'idle';
    if (result.kind === 'held') this.#rest('held', HELD_POLL_MS);
    else if (result.kind === 'not-loaded') this.#died();
  }

  /** The thread is gone: names the culprit, absolves the others. */
  #lost(end: ThreadEnd): void {
    this.#state = 'idle';
    const suspects = this.#rings.repair();
    const isClosing = end === 'killed' && this.#killedAt === 0;
    const culprits = isClosing ? [] : this.#blame.culprits(end, suspects, this.#killedAt);
    const cause = end === 'killed' ? 'deadline' : end;
    const now = this.#surroundings.clock.elapsed();
    for (const suspect of suspects) if (!culprits.includes(suspect)) suspect.ring.absolve(suspect);
    const taken = culprits.map((culprit) => ({ delivery: this.#rings.take(culprit), ranMs: now - culprit.startedAt }));
    this.#rings.releaseDone();
    this.#killedAt = 0;
    if (suspects.length === 0 && end !== 'killed') this.#died();
    for (const { delivery, ranMs } of taken) this.#events.killed(delivery, cause, ranMs);
    this.#events.heard();
  }

  /** A death that no delivery is to blame for. */
  #died(): void {
    if (!this.#storm.died(this.#surroundings.clock.elapsed())) return;
    this.#rest('storm', STORM_WINDOW_MS);
    this.#events.storm(STORM_DEATHS, STORM_WINDOW_MS);
  }

  #rest(state: 'held' | 'storm', ms: number): void {
    this.#state = state;
    const untilProbe = state === 'held' ? (this.#options.breaker?.local.retryAfterMs ?? 0) : 0;
    this.#timer = this.#surroundings.clock.after(untilProbe > 0 ? untilProbe : ms, () => {
      if (this.#state !== state) return;
      if (state === 'held' && this.#options.breaker?.local.admits() === false) {
        this.#rest('held', HELD_POLL_MS);
        return;
      }
      this.#state = 'idle';
      this.refill();
    });
  }

  #wake(): void {
    this.#surroundings.watch();
    if (this.#state === 'draining') {
      this.#bell.ring();
    } else if (this.#wantsTurn()) {
      this.#surroundings.turns.request(this);
    }
  }

  #openRing(delivery: Delivery): void {
    this.#rings.open(delivery);
    if (this.#state === 'draining') this.#askToLeave();
  }

  #askToLeave(): void {
    Atomics.store(this.#turnWords, Turn.LEAVE, 1);
    this.#bell.ring();
  }

  #take(word: number): void {
    const outcome = readOutcome(this.#rings.outbox, word);
    if (!handsBack(outcome.kind)) {
      this.#events.news(outcome);
      return;
    }
    const delivery = ownDelivery(readDelivery(this.#rings.outbox, outcome.bodyOffset, this.#options.names));
    this.#rings.handBack(outcome.address);
    this.#events.handedBack(delivery, this.#known.inFull(outcome));
  }
}
