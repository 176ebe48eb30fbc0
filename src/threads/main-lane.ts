// A lane for a plain function: its handler runs on the main thread, so only what an event loop allows can be promised.
import { countFailure, countNothing, countSuccess, isThenable } from '../shared/attempt.js';
import type { Clock, Timer } from '../shared/clock.js';
import { AttemptContext, type ContextOutlet } from '../shared/context.js';
import { type Delivery, ownDelivery } from '../shared/delivery.js';
import { BusbarError } from '../shared/errors.js';
import { type HandlerVerdict, isVerdict } from '../shared/handler.js';
import { type DetailedOutcome, Outcome, type OutcomeDetails } from '../shared/outcome.js';
import type { ErrorPhase } from '../shared/report.js';
import { Backlog } from './backlog.js';
import { isExpired } from './expiry.js';
import type { LaneEvents, LaneState, LaneSurroundings, Waiting } from './lane-contract.js';
import { MainAttempt } from './main-attempt.js';
import type { MainLaneOptions } from './main-lane-options.js';
import { outcome, outletOf, replyOf, verdictOutcome } from './main-outcome.js';
import { Parking } from './parking.js';
import { Patience } from './patience.js';
import { Running } from './running.js';
import { Slice } from './slice.js';

/** No rings: all that waits is on main. */
const PASSED = { isPassed: () => true };
const HELD_POLL_MS = 50;
/** The same to its subscription as a lane on a worker. Runs on the main thread, a slice of each turn of the loop. */
export class MainLane {
  readonly backlog = new Backlog();
  /** A stream is parked from the start of each of its deliveries on: what follows waits, also where several run side by side. */
  readonly parking: Parking;
  readonly #options: MainLaneOptions;
  readonly #patience: Patience;
  readonly #clock: Clock;
  readonly #watch: () => void;
  readonly #events: LaneEvents;
  readonly #running: Running;
  readonly #outlet: ContextOutlet;
  readonly #onRate = (): void => this.refill();
  readonly #slice = new Slice();
  #state: LaneState = 'idle';
  #isPaused = false;
  #timer: Timer | undefined;
  #succeeded = 0;
  readonly account = () => ({ succeeded: this.#succeeded, unsettled: this.unsettled });

  constructor(options: MainLaneOptions, { clock, watch, breakers }: LaneSurroundings, events: LaneEvents) {
    this.#options = options;
    this.#patience = new Patience(options.deadline, options.graceMs);
    this.#running = new Running(options.graceMs);
    this.#clock = clock;
    this.#watch = watch;
    this.#events = events;
    this.parking = new Parking(options.order, () => PASSED, null);
    this.#outlet = outletOf(clock, breakers.directory, options, (news) => this.#news(news));
  }

  get state(): LaneState {
    return this.#state;
  }

  get unsettled(): number {
    return this.#running.size + this.backlog.size + this.parking.size;
  }

  get waiting(): Waiting {
    return { deliveries: this.backlog.size + this.parking.size, bytes: this.backlog.bytes + this.parking.bytes };
  }

  get inFlight(): number {
    return this.#running.size;
  }

  /** Never: its deliveries always wait on main, in the backlog. */
  readonly offer = (_delivery: Delivery): boolean => false;

  /**
   * Begins a delivery that has just come from afar, rather than copy it to wait: what comes in one piece is over before the
   * next is read. False: it has to wait, in the queue.
   */
  arrive(delivery: Delivery): boolean {
    const { breaker, rate, concurrency } = this.#options;
    const isFree =
      this.#state === 'idle' && !this.#isPaused && this.#running.size < concurrency && this.backlog.size === 0;
    if (!isFree || rate !== null || breaker?.admits() === false || this.parking.holds(delivery)) return false;
    if (!this.#slice.begins()) return false;
    // What its handler publishes waits.
    this.#state = 'waiting';
    const now = this.#clock.elapsed();
    this.#start(delivery, now, true);
    this.#slice.spend(this.#clock.elapsed() - now);
    if (this.#state === 'waiting') {
      this.#state = 'idle';
      this.refill();
    }
    return true;
  }

  queue(delivery: Delivery): void {
    if (this.parking.isHead(delivery)) this.backlog.prepend([delivery]);
    else this.backlog.push(delivery);
    this.refill();
  }

  /** The verdict on a delivery that others may wait for. False: none does. */
  release(number: number): boolean {
    if (!this.parking.release(number)) return false;
    this.backlog.prepend(this.parking.takeReady());
    this.refill();
    return true;
  }

  refill(): void {
    if (this.#state !== 'idle' || this.#isPaused || this.backlog.size === 0) return;
    this.#state = 'waiting';
    setImmediate(() => this.#turn());
  }

  readonly collect = (_most: number): boolean => false;
  readonly hasNews = false;

  /** Gives up on handlers that are past their deadline: their promises are abandoned, for nothing can end them. */
  checkDeadlines(elapsed: number): void {
    this.#patience.fit(elapsed);
    for (const attempt of this.#running.overdue(this.#patience, elapsed)) {
      const timeoutMs = Math.round(this.#patience.timeoutMs(attempt.delivery.timeouts));
      this.#fail(attempt, new BusbarError('BUSBAR_HANDLER_TIMEOUT', `the handler ran past ${timeoutMs} ms`));
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.refill();
  }

  /** All that waits is on main anyhow. */
  readonly whileAllWaits = async (then: () => void): Promise<void> => then();

  /** Stops for good, and returns what was not settled. A handler that still runs is abandoned. */
  async close(): Promise<Delivery[]> {
    this.pause();
    this.#timer?.cancel();
    const abandoned = this.#running.takeAll().map((attempt) => attempt.abandon());
    this.#state = 'closed';
    return [...abandoned, ...this.parking.clear(), ...this.backlog.clear()];
  }

  #turn(): void {
    if (this.#state !== 'waiting') return;
    this.#slice.renew();
    let goesOn = true;
    // What is handed back unstarted takes time, too, and so does a call before its first wait.
    for (let at = this.#clock.elapsed(), now = at; goesOn && this.#slice.begins(); at = now) {
      goesOn = this.#step(at);
      now = this.#clock.elapsed();
      this.#slice.spend(now - at);
    }
    // It may be held, or a handler may have closed it.
    if (this.#state !== 'waiting') return;
    this.#state = 'idle';
    if (goesOn) this.refill();
  }

  /** Starts the next one. False: there is none that may start now. @param now `Clock.elapsed()` */
  #step(now: number): boolean {
    const { breaker, whenOpen, concurrency, rate } = this.#options;
    if (this.#state !== 'waiting' || this.#isPaused || this.#running.size >= concurrency) return false;
    if (breaker?.admits() === false && whenOpen === 'hold') {
      this.#hold();
      return false;
    }
    if (this.backlog.size === 0 || rate?.isReady(this.#onRate) === false) return false;
    let next: Delivery | undefined;
    this.backlog.moveTo((delivery) => {
      if (next !== undefined) return false;
      if (this.parking.takes(delivery)) return true;
      next = delivery;
      return true;
    });
    if (next !== undefined) this.#start(next, now);
    return next !== undefined;
  }

  #hold(): void {
    this.#state = 'held';
    // It may be closed by hand, long before it is due.
    const ms = Math.min(this.#options.breaker?.retryAfterMs || HELD_POLL_MS, HELD_POLL_MS);
    this.#timer = this.#clock.after(ms, () => {
      if (this.#state !== 'held') return;
      this.#state = 'idle';
      this.refill();
    });
  }

  /** @param now `Clock.elapsed()` @param isArrival its bytes are a view */
  #start(delivery: Delivery, now: number, isArrival = false): void {
    const { breaker, names, handle, call } = this.#options;
    if (delivery.expiresAt !== 0 && isExpired(delivery, this.#clock.now())) {
      const expired = isArrival ? ownDelivery(delivery) : delivery;
      this.#events.handedBack(expired, outcome({ kind: Outcome.EXPIRED, detail: null }));
      return;
    }
    const permit = breaker === null ? null : breaker.enter();
    if (permit === undefined) {
      const refused = isArrival ? ownDelivery(delivery) : delivery;
      this.#events.handedBack(refused, outcome({ kind: Outcome.REFUSED, detail: null }));
      return;
    }
    this.#options.rate?.spend();
    const timeoutMs = this.#patience.timeoutMs(delivery.timeouts);
    const context = new AttemptContext(delivery, names.instance, timeoutMs, now, this.#outlet);
    const attempt = new MainAttempt(permit, context, delivery, now, isArrival);
    this.#running.begin(attempt);
    this.#watch();
    let result: unknown;
    try {
      result = attempt.call(handle, call);
      // `then` is the handler's, too: it may be a getter that throws, or throw when it is called.
      if (isThenable(result)) {
        this.#running.wait(attempt);
        this.parking.park(delivery);
        const fail = (thrown: unknown): void => this.#fail(attempt, thrown);
        result.then((value) => this.#succeed(attempt, value), fail);
        return;
      }
    } catch (thrown) {
      this.#fail(attempt, thrown);
      return;
    }
    this.#succeed(attempt, result);
  }

  #succeed(attempt: MainAttempt, value: unknown): void {
    if (attempt.hasEnded) return;
    const { delivery, context } = attempt;
    if (delivery.wantsReply) {
      try {
        this.#events.replied(replyOf(delivery.number, value));
      } catch (thrown) {
        this.#fail(attempt, thrown, 'reply');
        return;
      }
    }
    countSuccess(attempt, this.#options.breaker);
    this.#end(attempt);
    if (this.#options.tellsSuccess) {
      this.#news({ kind: Outcome.SUCCEEDED, detail: { id: context.id, topic: delivery.topic } });
    }
    this.#succeeded++;
    this.release(delivery.number);
    for (const { detail, bytes } of context.publications ?? []) this.#news({ kind: Outcome.PUBLISHED, detail }, bytes);
    if (delivery.started > 0) this.#news({ kind: Outcome.RECOVERED, detail: { number: delivery.number } });
    if (this.#options.tellsHandled) this.#events.handled(delivery.number);
    this.#events.heard();
  }

  #fail(attempt: MainAttempt, thrown: unknown, phase: ErrorPhase = attempt.phase): void {
    if (attempt.hasEnded) return;
    const { breaker, describer } = this.#options;
    this.parking.park(attempt.delivery);
    this.#end(attempt);
    if (isVerdict(thrown)) {
      countNothing(attempt, breaker);
      this.#obey(attempt, thrown, phase);
      return;
    }
    const failure = describer.describe(thrown, phase, attempt.payload);
    countFailure(attempt, breaker, failure.category);
    this.#events.handedBack(attempt.ownDelivery, outcome({ kind: Outcome.FAILED, detail: failure }));
    this.#events.heard();
  }

  /** The handler has said itself what becomes of its delivery. */
  #obey(attempt: MainAttempt, verdict: HandlerVerdict, phase: ErrorPhase): void {
    const { ownDelivery: delivery, payload } = attempt;
    if (verdict.kind === 'retry-later') {
      this.#events.handedBack(delivery, outcome({ kind: Outcome.RETRY_LATER, detail: { delayMs: verdict.delayMs } }));
      return;
    }
    const failure = this.#options.describer.describe(verdict, phase, payload);
    this.#events.handedBack(delivery, verdictOutcome(verdict.kind, failure));
  }

  #end(attempt: MainAttempt): void {
    attempt.hasEnded = true;
    if (this.#patience.observation !== null) this.#patience.add(this.#clock.elapsed() - attempt.startedAt);
    attempt.context.close();
    this.#running.end(attempt);
    this.refill();
  }

  #news<K extends DetailedOutcome>(news: { kind: K; detail: OutcomeDetails[K] }, bytes?: Uint8Array): void {
    this.#events.news(outcome(news, bytes));
  }
}
