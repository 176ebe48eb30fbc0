// The bus: joins the parts, and is what users hold.
/// <reference lib="esnext.disposable" preserve="true" />
import { setImmediate as turn } from 'node:timers/promises';
import { assemble, type BusParts } from './assembly.js';
import { BusHealth } from './bus-health.js';
import { controlOf } from './control.js';
import type { BusEvents } from './events.js';
import type { ErrorRecoveryManager } from './failure/recovery.js';
import type { ControlServer } from './observe/control-server.js';
import type { DeadLetterQueue } from './observe/dead-letter-queue.js';
import type { ErrorLogger } from './observe/error-logger.js';
import type { MessageBusOptions, StopOptions, SubscribeOptions } from './options.js';
import { drainTimeOf, resolveBusOptions, resolveSubscribeOptions } from './resolve-options.js';
import type { ResolvedBusOptions } from './resolved-options.js';
import { systemClock, type Timer } from './shared/clock.js';
import { BusbarError } from './shared/errors.js';
import type { Breaker } from './shared/handler.js';
import type { HealthStatus } from './shared/health-status.js';
import { assertNoLaneWorker } from './shared/lane-worker.js';
import type { PublishOptions, RequestOptions } from './shared/publish-options.js';
import { assertPattern } from './shared/topics.js';
import { within } from './shared/within.js';
import { publishStored } from './stored.js';
import type { Subscription } from './subscription.js';
import { Threads } from './threads/threads.js';
import type { AnyTopics, HandlerLike, KnownPattern, PayloadOf } from './topic-types.js';

/** A transport has this long to say goodbye, in milliseconds, whatever the deadline. */
const SHORTEST_GOODBYE_MS = 1000;
/** How often stopping looks whether all is settled, in milliseconds. */
const SETTLED_POLL_MS = 5;

/**
 * A message bus whose subscribers run on worker threads. All methods run on the main thread; none blocks it.
 *
 * `Topics` maps topics to payload types, so that a wrong payload or handler does not compile.
 */
export class MessageBus<Topics extends object = AnyTopics> {
  readonly #options: ResolvedBusOptions;
  readonly #parts: BusParts;
  #threads: Threads | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #keepAlive: Timer | undefined;
  #wasRefused = false;
  readonly #control: ControlServer | null;
  readonly #health: BusHealth;

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
    this.#parts = assemble(this.#options, () => void this.stop({ drain: false }));
    this.#health = new BusHealth(this.#options, this.#parts);
    const { deadLetterQueue, errorLogger, recovery } = this.#parts;
    this.deadLetterQueue = deadLetterQueue;
    this.errorLogger = errorLogger;
    this.#control = controlOf(this.#parts, this.#options, () => this.getHealthStatus());
    this.recoveryManager = this.#options.enableErrorHandling ? recovery : null;
  }

  /**
   * Starts threads and opens the log folder. Twice is harmless, after `stop()` refused. If it fails, try again or `stop()`.
   *
   * @throws BUSBAR_LOG_FOLDER, BUSBAR_FOLDER_LOCKED, BUSBAR_NOT_RUNNING, BUSBAR_PACKAGE
   */
  start(): Promise<void> {
    if (this.#stopping !== undefined)
      return Promise.reject(new BusbarError('BUSBAR_NOT_RUNNING', 'this bus was stopped; construct another one'));
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
    pattern: Pattern & KnownPattern<Topics, Pattern>,
    handler: HandlerLike<PayloadOf<Topics, Pattern>>,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    assertPattern(pattern);
    const resolved = resolveSubscribeOptions(pattern, options, this.#options);
    if (this.#threads === undefined || this.#stopping !== undefined) throw notRunning('subscribe');
    return this.#parts.subscriber.subscribe(pattern, handler as HandlerLike<unknown>, resolved, this.#threads);
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
    const isTaken = this.#parts.publisher.publish(topic, payload, options);
    if (!isTaken) this.#wasRefused = true;
    return isTaken;
  }

  /**
   * Publishes a message as soon as no matching subscription is under pressure. Resolves when every one has accepted it.
   * With a transport: as soon as its buffer has room; resolves when the servers have stored it. What is rejected is not kept.
   *
   * @throws BUSBAR_NOT_RUNNING, BUSBAR_INVALID_TOPIC, BUSBAR_INVALID_OPTION, BUSBAR_REFUSED; with a transport also
   *   BUSBAR_TRANSPORT_SETTINGS, BUSBAR_TRANSPORT_PERMISSION, BUSBAR_MESSAGE_TOO_LARGE, BUSBAR_SHUTDOWN
   */
  publishAsync<Topic extends keyof Topics & string>(
    topic: Topic,
    payload: Topics[Topic],
    options?: PublishOptions,
  ): Promise<void> {
    const { remote, publisher, pressure } = this.#parts;
    if (remote !== null) return publishStored({ publisher, remote }, topic, payload, options);
    return pressure.publish(topic, payload, options);
  }

  /**
   * Resolves when no subscription that matches the topic is under pressure: none has reached 80 % of its `maxQueueSize` or
   * `maxQueueBytes` and not yet come down to half of it. At once when none is; see the events `pressure` and `drain`.
   * With a transport: when its buffer has room. A turn of the event loop later where `publish` has just said false. Rejects once
   * the bus stops, which ends a loop that publishes until a message is taken.
   *
   * @param topic default: all
   * @throws BUSBAR_NOT_RUNNING, BUSBAR_INVALID_TOPIC
   */
  async ready(topic?: keyof Topics & string): Promise<void> {
    const { remote, publisher, pressure } = this.#parts;
    // What is refused for another reason than room would be tried again at once, and nothing else would ever run.
    const next = this.#wasRefused ? turn() : undefined;
    this.#wasRefused = false;
    await next;
    if (publisher.isOpen) await (remote?.transport?.ready() ?? pressure.ready(topic));
    if (!publisher.isOpen) throw notRunning('ready');
  }

  /**
   * Sends a message to the one subscription that matches, and resolves with what its handler returns. Retries happen in
   * between; a request that is given up rejects with the last error as its cause.
   *
   * @throws BUSBAR_NOT_RUNNING, BUSBAR_INVALID_TOPIC, BUSBAR_INVALID_OPTION, BUSBAR_NO_HANDLER, BUSBAR_AMBIGUOUS_REQUEST,
   *   BUSBAR_ENCODING, BUSBAR_REQUEST_TIMEOUT, BUSBAR_REQUEST_FAILED, BUSBAR_BREAKER_OPEN
   */
  request<R = unknown, Topic extends keyof Topics & string = keyof Topics & string>(
    topic: Topic,
    payload: Topics[Topic],
    options?: RequestOptions,
  ): Promise<R> {
    return this.#parts.requests.send(topic, payload, options) as Promise<R>;
  }

  /** A snapshot; O(subscriptions). The same object as the last time while nothing has changed within a second. */
  getHealthStatus(): HealthStatus {
    return this.#health.status(this.#threads, this.#control);
  }

  /**
   * A circuit breaker by name, to be used, looked at or changed by hand: a subscription's (`pattern#subscriberId`, unless it
   * was given a name), one of the `breakers` option, or the one that handlers know as `ctx.breaker(name)`.
   *
   * @throws BUSBAR_INVALID_OPTION
   */
  breaker(name: string): Breaker {
    return this.#parts.breakers.of(name);
  }

  /**
   * Calls `listener` at each event; see {@link BusEvents}. One that throws is reported, and hurts nobody else.
   *
   * @throws BUSBAR_INVALID_OPTION for an event that there is not, and a listener that is no function
   */
  on<K extends keyof BusEvents>(event: K, listener: (...args: BusEvents[K]) => void): this {
    this.#parts.events.on(event, listener);
    return this;
  }

  /** As `on`, for the next event only; throws as that. */
  once<K extends keyof BusEvents>(event: K, listener: (...args: BusEvents[K]) => void): this {
    this.#parts.events.once(event, listener);
    return this;
  }

  /** Takes `on` or `once` back; harmless when there is nothing to take back. Throws as `on`. */
  off<K extends keyof BusEvents>(event: K, listener: (...args: BusEvents[K]) => void): this {
    this.#parts.events.off(event, listener);
    return this;
  }

  /**
   * Resolves once nothing is pending in any subscription, and what handlers published has been handled, too. With a
   * transport: once nothing waits for these subscriptions in any process.
   */
  async idle(): Promise<void> {
    while (!(this.isSettled() && (await this.#parts.subscriber.inflows.areDry()) && this.isSettled()))
      await this.#wait(SETTLED_POLL_MS);
  }

  /**
   * Takes no more messages, waits for what is pending, dead-letters what is left with the reason `shutdown`, and ends all
   * threads. Afterwards the process can end by itself. Stopping twice, or before start, is harmless.
   *
   * @throws BUSBAR_INVALID_OPTION
   */
  stop(options: StopOptions = {}): Promise<void> {
    try {
      const timeoutMs = drainTimeOf(options);
      this.#stopping ??= this.#stop(timeoutMs);
      return this.#stopping;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same as `stop()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #start(): Promise<void> {
    const { threads, spareThreads, resourceLimits: limits, clock, transport } = this.#options;
    const { replies, breakers, logging } = this.#parts;
    const started = new Threads({ threads, spareThreads, limits }, clock, breakers, () => replies.size > 0);
    replies.onWaiting = () => started.poll();
    const isOurs = logging?.isOpen === false;
    try {
      await logging?.open();
      await this.#parts.remote?.connect(transport, this.#parts.transportHost);
      if (this.#stopping !== undefined) throw notRunning('start');
    } catch (error) {
      await started.stop();
      // What is open would keep the process alive.
      if (isOurs) await logging?.rest();
      throw error;
    }
    this.#threads = started;
    this.#health.begin();
    // Waiting for a worker does not keep a process alive by itself, but a running bus is meant to.
    this.#keepAlive = systemClock.every(2 ** 30, () => undefined, true);
    this.#parts.publisher.isOpen = true;
    await this.#control?.open();
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#parts.stopping.abort();
    await this.#starting?.catch(() => undefined);
    this.#parts.publisher.isOpen = false;
    const deadline = systemClock.elapsed() + timeoutMs;
    // Servers that are silent are not waited for; what comes all the same is given back once its subscription is closed.
    await within(systemClock, timeoutMs, () => this.#parts.subscriber.inflows.pauseAll(), undefined, true);
    while (!this.isSettled() && systemClock.elapsed() < deadline) await this.#wait(SETTLED_POLL_MS);
    if (this.#threads !== undefined) await this.#parts.subscriber.closeAll(this.#threads);
    await this.#threads?.stop();
    await this.#parts.subscriber.lettersKept();
    this.#health.end();
    // Replays that end tell so where their letters lie.
    await this.deadLetterQueue?.close();
    await this.#parts.remote?.transport?.stop(Math.max(SHORTEST_GOODBYE_MS, deadline - systemClock.elapsed()));
    await this.errorLogger?.close();
    await this.#control?.close();
    await this.#parts.logging?.close();
    this.#keepAlive?.cancel();
  }

  /** A worker tells what a handler published before it counts the success: so nothing pending, then nothing told, is the end. */
  protected isSettled(): boolean {
    if (this.#parts.subscriptions.pending > 0) return false;
    this.#threads?.collect();
    return this.#parts.subscriptions.pending === 0;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resume) => systemClock.after(ms, resume, true));
  }
}

function notRunning(what: string): BusbarError {
  return new BusbarError('BUSBAR_NOT_RUNNING', `${what}: the bus is not running`);
}
