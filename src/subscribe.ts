// Makes subscriptions and ends them: loads the handler, builds the lanes, joins them to publish and settle.
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { BusEmitter } from './events.js';
import type { ErrorRecoveryManager } from './failure/recovery.js';
import type { RetrySchedule } from './failure/retries.js';
import type { FailureNotes } from './failure-notes.js';
import type { SubscriptionHealth } from './observe/health.js';
import type { ResolvedBusOptions, ResolvedSubscribeOptions } from './options.js';
import type { Publisher } from './publish.js';
import type { Replies } from './replies.js';
import type { Router } from './routing/router.js';
import type { Retry, Settler } from './settle.js';
import { type CircuitState, SharedBreaker } from './shared/breaker.js';
import type { FailureDescriber } from './shared/describe.js';
import { BusbarError, invalidOption } from './shared/errors.js';
import { type Handler, type HandlerDefinition, isHandlerDefinition } from './shared/handler.js';
import type { HandlerSource } from './shared/lane-task.js';
import { Outcome, type ReadOutcome } from './shared/outcome.js';
import { LiveSubscription, type Subscription } from './subscription.js';
import { Lane, type LaneEvents } from './threads/lane.js';
import { MainLane } from './threads/main-lane.js';
import type { AnyLane, Threads } from './threads/threads.js';

export interface SubscribeParts {
  readonly options: ResolvedBusOptions;
  readonly instance: string;
  readonly router: Router<LiveSubscription>;
  readonly settler: Settler;
  readonly publisher: Publisher;
  readonly replies: Replies;
  readonly retries: RetrySchedule<Retry>;
  readonly events: BusEmitter;
  readonly notes: FailureNotes;
  readonly describer: FailureDescriber;
  readonly recovery: ErrorRecoveryManager;
}

type AnyHandler = HandlerDefinition | Handler | URL | string;

/** How often unsubscribing looks whether all is settled, in milliseconds. */
const SETTLED_POLL_MS = 5;
/** What lies in a ring can no longer be evicted: half of the queue at most, and this many. */
const DEEPEST_RING = 65_536;

/** Belongs to one bus. Runs on the main thread. */
export class Subscriber {
  readonly #parts: SubscribeParts;
  readonly #subscriptions = new Map<string, LiveSubscription>();
  readonly #breakerStates = new Map<LiveSubscription, CircuitState>();

  constructor(parts: SubscribeParts) {
    this.#parts = parts;
  }

  get pending(): number {
    let sum = 0;
    for (const subscription of this.#subscriptions.values()) sum += subscription.pending;
    return sum;
  }

  find(pattern: string, subscriberId: string): LiveSubscription | undefined {
    return this.#subscriptions.get(keyOf(pattern, subscriberId));
  }

  health(): (SubscriptionHealth & { breakerName: string; storm: boolean })[] {
    return [...this.#subscriptions.values()].map((subscription) => subscription.health());
  }

  /** @throws BUSBAR_DUPLICATE_SUBSCRIPTION, BUSBAR_HANDLER_LOAD, BUSBAR_INVALID_OPTION */
  async subscribe(pattern: string, handler: AnyHandler, options: ResolvedSubscribeOptions, threads: Threads): Promise<Subscription> {
    const key = keyOf(pattern, options.subscriberId);
    if (this.#subscriptions.has(key)) {
      const what = `${options.subscriberId} has subscribed to ${pattern} already`;
      throw new BusbarError('BUSBAR_DUPLICATE_SUBSCRIPTION', what);
    }
    const { clock } = this.#parts.options;
    const memory = options.breaker === false ? null : SharedBreaker.allocate(options.breaker);
    const subscription = new LiveSubscription(pattern, options, memory === null ? null : new SharedBreaker(memory, clock));
    // Reserved before the first wait, so that two calls at once do not both succeed.
    this.#subscriptions.set(key, subscription);
    try {
      const isPlain = typeof handler === 'function' && !isHandlerDefinition(handler);
      const source = isPlain ? undefined : sourceOf(handler, options.export);
      if (source !== undefined) await this.#load(source, threads);
      for (let index = 0; index < options.lanes; index++) {
        const events = this.#eventsOf(subscription);
        const lane = source === undefined ? this.#mainLane(subscription, handler as Handler, events, threads) : this.#lane(subscription, source, memory, events, threads);
        subscription.lanes.push(lane);
        threads.add(lane);
      }
    } catch (error) {
      this.#subscriptions.delete(key);
      throw error;
    }
    this.#parts.router.add(pattern, subscription);
    this.#parts.recovery.registerBreaker(options.breakerName, () => subscription.breaker?.state ?? 'closed');
    return this.#handleOf(subscription, threads);
  }

  /** Ends all; what is not settled by then is dead-lettered. */
  async closeAll(): Promise<void> {
    await Promise.all([...this.#subscriptions.values()].map((subscription) => this.#close(subscription)));
  }

  async #load(source: HandlerSource, threads: Threads): Promise<void> {
    const result = await threads.load(source, this.#parts.options.redact);
    if (result.kind !== 'not-loaded') return;
    const { failure } = result;
    const error = new BusbarError('BUSBAR_HANDLER_LOAD', failure.error.message, { cause: failure.error.cause ?? failure.error });
    this.#parts.settler.report(this.#parts.notes.incident('subscribe', error, 'setup', { handler: source.url }));
    throw error;
  }

  #lane(subscription: LiveSubscription, handler: HandlerSource, memory: SharedArrayBuffer | null, events: LaneEvents, threads: Threads): Lane {
    const { options, breaker, pattern } = subscription;
    const { redact, ringBytes, enableErrorHandling } = this.#parts.options;
    return new Lane(
      {
        handler,
        names: { instance: this.#parts.instance, pattern },
        shape: {
          ringBytes,
          concurrency: options.concurrency,
          depth: Math.max(1, Math.min(DEEPEST_RING, options.maxQueueSize >> 1)),
        },
        breaker: memory === null || breaker === null ? null : { memory, local: breaker },
        whenOpen: options.whenOpen,
        timeoutMs: options.timeoutMs,
        graceMs: options.graceMs,
        bytes: options.bytes,
        redact,
        describeErrors: enableErrorHandling,
      },
      threads.surroundings,
      events,
    );
  }

  #mainLane(subscription: LiveSubscription, handle: Handler, events: LaneEvents, threads: Threads): MainLane {
    const { options, breaker, pattern } = subscription;
    const { instance, describer } = this.#parts;
    const { validate, whenOpen, timeoutMs, graceMs, concurrency } = options;
    const names = { instance, pattern };
    const { clock, watch } = threads.surroundings;
    return new MainLane({ handle, validate, names, breaker, whenOpen, timeoutMs, graceMs, concurrency, describer }, clock, watch, events);
  }

  #eventsOf(subscription: LiveSubscription): LaneEvents {
    const { settler, notes } = this.#parts;
    return {
      handedBack: (delivery, outcome) => {
        settler.handedBack(subscription, delivery, outcome);
        this.#noticeBreaker(subscription);
      },
      killed: (delivery, cause, ranMs) => {
        settler.killed(subscription, delivery, cause, ranMs);
        this.#noticeBreaker(subscription);
      },
      news: (outcome) => this.#news(subscription, outcome),
      storm: (deaths) => {
        const error = new BusbarError('BUSBAR_WORKER_LOST', `a lane's thread died ${deaths} times without a message to blame; the lane is held`);
        settler.report(notes.incident(`subscription ${subscription.options.breakerName}`, error, 'thread'));
      },
    };
  }

  #news(subscription: LiveSubscription, outcome: ReadOutcome): void {
    const { settler, publisher, replies, events, notes } = this.#parts;
    const { subscriberId } = subscription;
    switch (outcome.kind) {
      case Outcome.RECOVERED:
        settler.recovered(subscription, outcome.detail.number);
        break;
      case Outcome.REPLIED:
        replies.resolve(outcome.detail.number, outcome.detail.codec, outcome.bytes);
        break;
      case Outcome.PUBLISHED:
        publisher.publishEncoded(outcome.detail, outcome.bytes);
        break;
      case Outcome.LOGGED:
        events.emit('log', { ...outcome.detail, subscriberId });
        break;
      case Outcome.THREW_LATE: {
        const { failure, id, topic } = outcome.detail;
        const context = { message_id: id, topic, subscriber_id: subscriberId };
        settler.report(notes.incidentOf(`subscription ${subscription.options.breakerName}`, failure, context));
        break;
      }
      default:
    }
    this.#noticeBreaker(subscription);
  }

  #noticeBreaker(subscription: LiveSubscription): void {
    const { breaker } = subscription;
    if (breaker === null) return;
    const state = breaker.state;
    const previous = this.#breakerStates.get(subscription) ?? 'closed';
    if (state === previous) return;
    this.#breakerStates.set(subscription, state);
    this.#parts.events.emit('breaker', { name: subscription.options.breakerName, state, previous });
  }

  #handleOf(subscription: LiveSubscription, threads: Threads): Subscription {
    const { lanes, pattern, subscriberId } = subscription;
    return {
      pattern,
      subscriberId,
      pause: () => {
        for (const lane of lanes) lane.pause();
      },
      resume: () => {
        for (const lane of lanes) lane.resume();
      },
      unsubscribe: (options = {}) => this.#unsubscribe(subscription, options.drain ?? true, threads),
    };
  }

  async #unsubscribe(subscription: LiveSubscription, drain: boolean, threads: Threads): Promise<boolean> {
    if (!subscription.isOpen) return false;
    subscription.isOpen = false;
    const { router, options } = this.#parts;
    router.remove(subscription.pattern, subscription);
    while (drain && subscription.pending > 0 && this.#subscriptions.has(keyOf(subscription.pattern, subscription.subscriberId))) {
      await new Promise<void>((resume) => options.clock.after(SETTLED_POLL_MS, resume, true));
    }
    await this.#close(subscription);
    for (const lane of subscription.lanes) threads.remove(lane);
    this.#subscriptions.delete(keyOf(subscription.pattern, subscription.subscriberId));
    this.#parts.recovery.forgetBreaker(subscription.options.breakerName);
    return true;
  }

  /** Ends the lanes; what they, and the schedule of retries, still hold is dead-lettered. */
  async #close(subscription: LiveSubscription): Promise<void> {
    subscription.isOpen = false;
    const { retries, settler, notes } = this.#parts;
    const left = retries.takeWhere((retry) => retry.subscription === subscription).map(({ delivery }) => delivery);
    subscription.retrying -= left.length;
    left.push(...(await Promise.all(subscription.lanes.map((lane: AnyLane) => lane.close()))).flat());
    for (const delivery of left) settler.giveUp(subscription, delivery, notes.shutdown(delivery), 'shutdown');
  }
}

function keyOf(pattern: string, subscriberId: string): string {
  return `${pattern}\n${subscriberId}`;
}

/** @throws BUSBAR_INVALID_OPTION, BUSBAR_HANDLER_LOAD */
function sourceOf(handler: unknown, exportName: string): HandlerSource {
  if (isHandlerDefinition(handler)) return { url: fileUrlOf(handler.url), exportName: handler.options.export ?? 'default' };
  if (handler instanceof URL) return { url: fileUrlOf(handler.href), exportName };
  if (typeof handler === 'string' && handler !== '') return { url: fileUrlOf(handler), exportName };
  throw invalidOption('handler', 'a defineHandler value, the file: URL of a module, or a function', handler);
}

/** A CommonJS module gives its `__filename`. */
function fileUrlOf(url: string): string {
  if (/^[a-z][a-z+.-]+:/i.test(url)) {
    if (!url.startsWith('file:')) throw invalidOption('handler', 'a file: URL or an absolute path', url);
    return pathToFileURL(fileURLToPath(url)).href + (/[?#].*$/.exec(url)?.[0] ?? '');
  }
  if (url.startsWith('/')) return pathToFileURL(url).href;
  throw invalidOption('handler', 'a file: URL or an absolute path', url);
}
