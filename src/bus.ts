// The bus: joins the parts, and is what users hold.
/// <reference lib="esnext.disposable" preserve="true" />
import { nanoid } from 'nanoid';
import { BusEmitter, type BusEvents } from './events.js';
import { RetryBudget } from './failure/budget.js';
import { ErrorRecoveryManager } from './failure/recovery.js';
import { RetrySchedule } from './failure/retries.js';
import { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import { DeadLetterQueue } from './observe/dead-letter-queue.js';
import { ErrorLogger } from './observe/error-logger.js';
import { type HealthStatus, healthOf } from './observe/health.js';
import { Logging } from './observe/logging.js';
import {
  type MessageBusOptions,
  type ResolvedBusOptions,
  resolveBusOptions,
  resolveSubscribeOptions,
  type SubscribeOptions,
} from './options.js';
import { Publisher } from './publish.js';
import { assertPublishOptions, type PublishOptions } from './publish-options.js';
import { Replies } from './replies.js';
import { Router } from './routing/router.js';
import { assertPattern, assertTopic } from './routing/topics.js';
import { type Retry, Settler } from './settle.js';
import type { Timer } from './shared/clock.js';
import { messageId } from './shared/delivery.js';
import { FailureDescriber } from './shared/describe.js';
import { ErrorCounters } from './shared/error-counters.js';
import { BusbarError, invalidOption } from './shared/errors.js';
import { isLaneWorker } from './shared/lane-worker.js';
import { Subscriber } from './subscribe.js';
import type { Subscription } from './subscription.js';
import { Threads } from './threads/threads.js';
import type { AnyTopics, HandlerLike, PayloadOf } from './topic-types.js';

/** Options of `stop`. */
export interface StopOptions {
  /** False: what waits is dead-lettered at once, with the reason `shutdown`. Default true. */
  readonly drain?: boolean;
  /** How long to wait for what waits, in milliseconds, 0 or more. Default 10 000. */
  readonly timeoutMs?: number;
}

/** How often stopping looks whether all is settled, in milliseconds. */
const SETTLED_POLL_MS = 5;

/**
 * A message bus whose subscribers run on worker threads. All methods run on the main thread; none blocks it.
 *
 * `Topics` maps topics to payload types, so that a wrong payload or handler does not compile.
 */
export class MessageBus<Topics extends object = AnyTopics> {
  readonly #options: ResolvedBusOptions;
  readonly #instance = nanoid(10);
  readonly #router = new Router<LiveSubscription>();
  readonly #events: BusEmitter;
  readonly #counters = new ErrorCounters();
  readonly #logging: Logging | null;
  readonly #replies: Replies;
  readonly #settler: Settler;
  readonly #publisher: Publisher;
  readonly #subscriber: Subscriber;
  readonly #retries: RetrySchedule<Retry>;
  #threads: Threads | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #keepAlive: Timer | undefined;
  #startedAt = 0;

  /** Null when error handling is off. */
  readonly deadLetterQueue: DeadLetterQueue | null;
  /** Null when error handling is off. */
  readonly errorLogger: ErrorLogger | null;
  /** Null when error handling is off. */
  readonly recoveryManager: ErrorRecoveryManager | null;

  /** @throws BUSBAR_INVALID_OPTION, BUSBAR_IN_LANE_WORKER */
  constructor(options: MessageBusOptions = {}) {
    assertNoLaneWorker();
    this.#options = resolveBusOptions(options);
    const { clock, enableErrorHandling, errorLogDir, retry, redact, ringBytes } = this.#options;
    const describer = new FailureDescriber(redact, undefined, enableErrorHandling);
    const notes = new FailureNotes(describer, clock, this.#instance);
    const recovery = new ErrorRecoveryManager({ retryConfigs: retry, clock });

    this.#logging = enableErrorHandling ? Logging.of(errorLogDir) : null;
    this.errorLogger = enableErrorHandling ? new ErrorLogger({ logDir: errorLogDir }) : null;
    this.deadLetterQueue =
      this.#logging === null
        ? null
        : new DeadLetterQueue(
            { storageDir: this.#logging.letterFolder },
            (letter) => this.#subscriber.replay(letter),
            clock,
          );
    this.recoveryManager = enableErrorHandling ? recovery : null;

    this.#replies = new Replies(clock);
    this.#retries = new RetrySchedule<Retry>(clock, ({ subscription, delivery }) => {
      subscription.retrying--;
      subscription.requeue(delivery);
    });
    this.#settler = new Settler({
      clock,
      recovery,
      budget: new RetryBudget(clock.elapsed()),
      retries: this.#retries,
      replies: this.#replies,
      logging: this.#logging,
      counters: this.#counters,
      notes,
      routed: () => this.#publisher.routed,
      onDeadLetter: ({ subscriberId }, delivery, reason) =>
        this.#events.emit('deadLetter', {
          subscriberId,
          topic: delivery.topic,
          id: messageId(delivery, this.#instance),
          reason,
        }),
    });
    this.#events = new BusEmitter((event, thrown) =>
      this.#settler.report(notes.incident(`listener of ${event}`, thrown, 'handler')),
    );
    this.#publisher = new Publisher({
      clock,
      router: this.#router,
      settler: this.#settler,
      notes,
      largestPayload: ringBytes / 4,
    });
    this.#subscriber = new Subscriber({
      options: this.#options,
      instance: this.#instance,
      router: this.#router,
      settler: this.#settler,
      publisher: this.#publisher,
      replies: this.#replies,
      retries: this.#retries,
      events: this.#events,
      notes,
      describer,
      recovery,
    });
  }

  /**
   * Starts the threads and opens the log folder. Starting twice is harmless; a bus that was stopped does not start again.
   *
   * @throws BUSBAR_LOG_FOLDER, BUSBAR_FOLDER_LOCKED, BUSBAR_NOT_RUNNING
   */
  start(): Promise<void> {
    if (this.#stopping !== undefined) {
      return Promise.reject(new BusbarError('BUSBAR_NOT_RUNNING', 'this bus was stopped; construct another one'));
    }
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /**
   * Subscribes a handler. Resolves once it is loaded on a worker and messages are routed to it.
   *
   * A plain function runs on the main thread: it can be retried, broken off and dead-lettered as any other, but while it
   * computes the main thread does not, and an endless loop in it cannot be ended.
   *
   * @param pattern dotted name; `*` is one token, a final `>` the rest
   * @throws BUSBAR_INVALID_TOPIC, BUSBAR_INVALID_OPTION, BUSBAR_DUPLICATE_SUBSCRIPTION, BUSBAR_HANDLER_LOAD,
   *   BUSBAR_NOT_RUNNING
   */
  async subscribe<Pattern extends string>(
    pattern: Pattern,
    handler: HandlerLike<PayloadOf<Topics, Pattern>>,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    assertPattern(pattern);
    const resolved = resolveSubscribeOptions(pattern, options, this.#options);
    if (this.#threads === undefined || this.#stopping !== undefined) throw notRunning('subscribe');
    return this.#subscriber.subscribe(pattern, handler as HandlerLike<unknown>, resolved, this.#threads);
  }

  /**
   * Publishes a message. Never throws, never blocks. True: every matching subscription has accepted it, or none matches.
   * False: the bus does not run, the topic or an option is malformed (a report says what), or a queue was full (and the
   * overflow policy has taken care of the message).
   */
  publish<Topic extends keyof Topics & string>(
    topic: Topic,
    payload: Topics[Topic],
    options?: PublishOptions,
  ): boolean {
    return this.#publisher.publish(topic, payload, options);
  }

  /**
   * Sends a message to the one subscription that matches, and resolves with what its handler returns. Retries happen in
   * between; a request that is given up rejects with the last error as its cause.
   *
   * @param options `timeoutMs`: how long to wait, in milliseconds, more than 0. Default 10 000
   * @throws BUSBAR_NOT_RUNNING, BUSBAR_INVALID_TOPIC, BUSBAR_INVALID_OPTION, BUSBAR_NO_HANDLER, BUSBAR_AMBIGUOUS_REQUEST,
   *   BUSBAR_ENCODING, BUSBAR_REQUEST_TIMEOUT, BUSBAR_REQUEST_FAILED, BUSBAR_BREAKER_OPEN
   */
  async request<R = unknown, Topic extends keyof Topics & string = keyof Topics & string>(
    topic: Topic,
    payload: Topics[Topic],
    { timeoutMs = 10_000, ...options }: PublishOptions & { readonly timeoutMs?: number } = {},
  ): Promise<R> {
    if (!this.#publisher.isOpen) throw notRunning('request');
    assertTopic(topic);
    assertPublishOptions(options);
    if (!(typeof timeoutMs === 'number' && timeoutMs > 0))
      throw invalidOption('timeoutMs', 'a number of milliseconds > 0', timeoutMs);
    const [subscription, ...others] = this.#router.match(topic) ?? [];
    if (subscription === undefined) throw new BusbarError('BUSBAR_NO_HANDLER', `nobody has subscribed to ${topic}`);
    if (others.length > 0)
      throw new BusbarError('BUSBAR_AMBIGUOUS_REQUEST', `${others.length + 1} subscriptions match ${topic}`);
    if (subscription.breaker?.admits() === false) {
      throw new BusbarError('BUSBAR_BREAKER_OPEN', `circuit breaker ${subscription.options.breakerName} is open`);
    }
    return this.#publisher.request(subscription, topic, payload, options, (number) =>
      this.#replies.wait(number, timeoutMs),
    ) as Promise<R>;
  }

  /** A snapshot; O(subscriptions). */
  getHealthStatus(): HealthStatus {
    const { clock, threads, spareThreads } = this.#options;
    this.#threads?.collect();
    return healthOf({
      running: this.#publisher.isOpen,
      uptimeMs: this.#publisher.isOpen ? clock.elapsed() - this.#startedAt : 0,
      errorsRecovered: this.#settler.errorsRecovered,
      unrouted: this.#publisher.unrouted,
      subscriptions: this.#subscriber.health(),
      threads: this.#threads?.health ?? { configured: threads + spareThreads, alive: 0, replaced: 0 },
      logging: this.#logging?.health() ?? null,
      errorStatistics: this.#logging === null ? null : this.#counters.summary(clock.now() / 1000),
    });
  }

  on<K extends keyof BusEvents>(event: K, listener: (...args: BusEvents[K]) => void): this {
    this.#events.on(event, listener);
    return this;
  }

  once<K extends keyof BusEvents>(event: K, listener: (...args: BusEvents[K]) => void): this {
    this.#events.once(event, listener);
    return this;
  }

  off<K extends keyof BusEvents>(event: K, listener: (...args: BusEvents[K]) => void): this {
    this.#events.off(event, listener);
    return this;
  }

  /** Resolves once nothing is pending in any subscription. */
  async idle(): Promise<void> {
    while (this.#subscriber.pending > 0) await this.#wait(SETTLED_POLL_MS);
  }

  /**
   * Takes no more messages, waits for what is pending, dead-letters what is left with the reason `shutdown`, and ends all
   * threads. Afterwards the process can end by itself. Stopping twice, or before start, is harmless.
   *
   * @throws BUSBAR_INVALID_OPTION
   */
  stop(options: StopOptions = {}): Promise<void> {
    const { drain = true, timeoutMs = 10_000 } = options;
    if (!(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
      return Promise.reject(invalidOption('timeoutMs', 'a number of milliseconds >= 0', timeoutMs));
    }
    this.#stopping ??= this.#stop(drain ? timeoutMs : 0);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #start(): Promise<void> {
    const { threads, spareThreads, resourceLimits: limits, clock } = this.#options;
    await this.#logging?.open();
    if (this.#stopping !== undefined) throw notRunning('start');
    this.#threads = new Threads({ threads, spareThreads, limits }, clock);
    this.#startedAt = clock.elapsed();
    // Waiting for a worker does not keep a process alive by itself, but a running bus is meant to.
    this.#keepAlive = clock.every(2 ** 30, () => undefined, true);
    this.#publisher.isOpen = true;
  }

  async #stop(timeoutMs: number): Promise<void> {
    await this.#starting?.catch(() => undefined);
    this.#publisher.isOpen = false;
    const { clock } = this.#options;
    const deadline = clock.elapsed() + timeoutMs;
    while (this.#subscriber.pending > 0 && clock.elapsed() < deadline) await this.#wait(SETTLED_POLL_MS);
    await this.#subscriber.closeAll();
    await this.#threads?.stop();
    while (this.#subscriber.pending > 0) await this.#wait(SETTLED_POLL_MS);
    await this.deadLetterQueue?.close();
    await this.errorLogger?.close();
    await this.#logging?.close();
    this.#keepAlive?.cancel();
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resume) => this.#options.clock.after(ms, resume, true));
  }
}

function notRunning(what: string): BusbarError {
  return new BusbarError('BUSBAR_NOT_RUNNING', `${what}: the bus is not running`);
}

/** A handler module that makes a bus would start threads that start threads. */
function assertNoLaneWorker(): void {
  if (!isLaneWorker()) return;
  throw new BusbarError(
    'BUSBAR_IN_LANE_WORKER',
    'a MessageBus cannot be made on a thread that runs handlers; use ctx.publish',
  );
}
