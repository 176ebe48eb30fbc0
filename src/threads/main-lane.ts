// A lane for a plain function: its handler runs on the main thread, so only what an event loop allows can be promised.
import { type CallOptions, isThenable } from '../shared/attempt.js';
import type { SharedBreaker } from '../shared/breaker.js';
import type { Clock, Timer } from '../shared/clock.js';
import { encodePayload } from '../shared/codec.js';
import { AttemptContext, type ContextOutlet } from '../shared/context.js';
import type { DeadlineRule } from '../shared/deadline.js';
import type { Delivery, LaneNames } from '../shared/delivery.js';
import type { FailureDescriber } from '../shared/describe.js';
import { BusbarError } from '../shared/errors.js';
import { type Handler, type HandlerVerdict, isVerdict } from '../shared/handler.js';
import type { LaneOrder } from '../shared/order.js';
import { type DetailedOutcome, type Failure, Outcome, type OutcomeDetails } from '../shared/outcome.js';
import { type ErrorPhase, ErrorSeverity } from '../shared/report.js';
import { asBuffer } from '../shared/views.js';
import { Backlog } from './backlog.js';
import { isExpired } from './expiry.js';
import type { LaneEvents, LaneState, LaneSurroundings, Waiting } from './lane-contract.js';
import { MainAttempt } from './main-attempt.js';
import { outcome } from './main-outcome.js';
import { Parking } from './parking.js';
import { Patience } from './patience.js';
import type { RateLimit } from './rate-limit.js';

export interface MainLaneOptions {
  readonly handle: Handler;
  /** Of its payloads. */
  readonly call: CallOptions;
  readonly names: LaneNames;
  readonly breaker: SharedBreaker | null;
  readonly whenOpen: 'hold' | 'dead-letter';
  readonly deadline: DeadlineRule;
  readonly graceMs: number;
  readonly concurrency: number;
  readonly describer: FailureDescriber;
  /** Null: none is kept. */
  readonly order: LaneOrder | null;
  /** Null: none. Shared with the other lanes of the subscription. */
  readonly rate: RateLimit | null;
  /** Tells of successes: the bus is under test. */
  readonly tellsSuccess: boolean;
  readonly tellsHandled: boolean;
}

/** No rings: all that waits is on main. */
const PASSED = { isPassed: () => true };
const HELD_POLL_MS = 50;

/** The same to its subscription as a lane on a worker. Runs on the main thread, one turn of the loop for each call. */
export class MainLane {
  readonly backlog = new Backlog();
  /** A stream is parked from the start of each of its deliveries on: what follows waits, also where several run side by side. */
  readonly parking: Parking;
  readonly #options: MainLaneOptions;
  readonly #patience: Patience;
  readonly #clock: Clock;
  readonly #watch: () => void;
  readonly #events: LaneEvents;
  readonly #running = new Set<MainAttempt>();
  readonly #outlet: ContextOutlet;
  readonly #onRate = (): void => this.refill();
  #state: LaneState = 'idle';
  #isPaused = false;
  #timer: Timer | undefined;
  #succeeded = 0;
  readonly account = () => ({ succeeded: this.#succeeded, unsettled: this.unsettled });

  constructor(options: MainLaneOptions, { clock, watch, breakers }: LaneSurroundings, events: LaneEvents) {
    this.#options = options;
    this.#patience = new Patience(options.deadline, options.graceMs);
    this.#clock = clock;
    this.#watch = watch;
    this.#events = events;
    this.parking = new Parking(options.order, () => PASSED, null);
    this.#outlet = {
      clock,
      breakers: breakers.directory,
      log: (detail) => this.#news({ kind: Outcome.LOGGED, detail }),
      late: (error, { id, topic }) => {
        const failure = options.describer.describe(error, 'late', undefined);
        this.#news({ kind: Outcome.THREW_LATE, detail: { failure, id, topic } });
      },
      assertFits: () => undefined,
    };
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
  offer(_delivery: Delivery): boolean {
    return false;
  }

  queue(delivery: Delivery): void {
    if (this.parking.isHead(delivery)) this.backlog.prepend([delivery]);
    else this.backlog.push(delivery);
    this.refill();
  }

  /** The verdict on a delivery that others may wait for. False: none does. */
  release(number: number): boolean {
    const isHead = this.parking.release(number);
    if (isHead) {
      this.backlog.prepend(this.parking.takeReady());
      this.refill();
    }
    return isHead;
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
    for (const attempt of this.#running) {
      const { timeouts } = attempt.delivery;
      if (!this.#patience.isOver(elapsed - attempt.startedAt, timeouts)) continue;
      const timeoutMs = Math.round(this.#patience.timeoutMs(timeouts));
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
    const abandoned = [...this.#running].map((attempt) => attempt.abandon());
    this.#running.clear();
    this.#state = 'closed';
    return [...abandoned, ...this.parking.clear(), ...this.backlog.clear()];
  }

  #turn(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'idle';
    const { breaker, whenOpen, concurrency } = this.#options;
    if (this.#isPaused || this.#running.size >= concurrency) return;
    if (breaker?.admits() === false && whenOpen === 'hold') {
      this.#hold();
      return;
    }
    if (this.backlog.size === 0 || this.#options.rate?.isReady(this.#onRate) === false) return;
    let next: Delivery | undefined;
    this.backlog.moveTo((delivery) => {
      if (next !== undefined) return false;
      if (this.parking.takes(delivery)) return true;
      next = delivery;
      return true;
    });
    if (next !== undefined) this.#start(next);
    this.refill();
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

  #start(delivery: Delivery): void {
    const { breaker, names, handle, call } = this.#options;
    if (isExpired(delivery, this.#clock.now())) {
      this.#events.handedBack(delivery, outcome({ kind: Outcome.EXPIRED, detail: null }));
      return;
    }
    const permit = breaker === null ? null : breaker.enter();
    if (permit === undefined) {
      this.#events.handedBack(delivery, outcome({ kind: Outcome.REFUSED, detail: null }));
      return;
    }
    this.parking.park(delivery);
    this.#options.rate?.spend();
    const startedAt = this.#clock.elapsed();
    const timeoutMs = this.#patience.timeoutMs(delivery.timeouts);
    const context = new AttemptContext(delivery, names.instance, timeoutMs, startedAt, this.#outlet);
    const attempt = new MainAttempt(permit, context, delivery, startedAt);
    this.#running.add(attempt);
    this.#watch();
    let result: unknown;
    try {
      result = attempt.call(handle, call, 'copy');
      // `then` is the handler's, too: it may be a getter that throws, or throw when it is called.
      if (isThenable(result)) {
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
        const { codec, bytes } = encodePayload(value);
        const memory = asBuffer(bytes);
        this.#events.replied({ number: delivery.number, codec, memory, words: null, start: 0, end: memory.length });
      } catch (thrown) {
        this.#fail(attempt, thrown, 'reply');
        return;
      }
    }
    attempt.countSuccess(this.#options.breaker);
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
    this.#end(attempt);
    if (isVerdict(thrown)) {
      attempt.countNothing(breaker);
      this.#obey(attempt, thrown, phase);
      return;
    }
    const failure = describer.describe(thrown, phase, attempt.payload);
    attempt.countFailure(breaker, failure.category);
    this.#events.handedBack(attempt.delivery, outcome({ kind: Outcome.FAILED, detail: failure }));
    this.#events.heard();
  }

  /** The handler has said itself what becomes of its delivery. */
  #obey({ delivery, payload }: MainAttempt, verdict: HandlerVerdict, phase: ErrorPhase): void {
    if (verdict.kind === 'retry-later') {
      const detail = { delayMs: verdict.delayMs };
      this.#events.handedBack(delivery, outcome({ kind: Outcome.RETRY_LATER, detail }));
      return;
    }
    const failure = this.#options.describer.describe(verdict, phase, payload);
    const end: { kind: typeof Outcome.DISCARDED | typeof Outcome.DEAD_LETTERED; detail: Failure } =
      verdict.kind === 'discard'
        ? { kind: Outcome.DISCARDED, detail: { ...failure, severity: ErrorSeverity.LOW } }
        : { kind: Outcome.DEAD_LETTERED, detail: failure };
    this.#events.handedBack(delivery, outcome(end));
  }

  #end(attempt: MainAttempt): void {
    attempt.hasEnded = true;
    this.#patience.add(this.#clock.elapsed() - attempt.startedAt);
    attempt.context.close();
    this.#running.delete(attempt);
    this.refill();
  }

  #news<K extends DetailedOutcome>(news: { kind: K; detail: OutcomeDetails[K] }, bytes?: Uint8Array): void {
    this.#events.news(outcome(news, bytes));
  }
}
