// Makes subscriptions: loads the handler, builds the lanes, joins them to publish and settle.
import type { BusEmitter } from './events.js';
import { codecOf, sourceOf } from './handler-source.js';
import { Inflows } from './inflows.js';
import { LiveSubscription } from './live-subscription.js';
import { News } from './news.js';
import type { Publisher } from './publish.js';
import type { Remote } from './remote.js';
import type { Replays } from './replays.js';
import type { Replies } from './replies.js';
import type { ResolvedSubscribeOptions } from './resolved-options.js';
import { depthOf } from './ring-depth.js';
import { systemClock } from './shared/clock.js';
import type { FailureDescriber } from './shared/describe.js';
import { BusbarError } from './shared/errors.js';
import type { Handler, HandlerDefinition } from './shared/handler.js';
import type { HandlerSource } from './shared/lane-task.js';
import type { Ordering } from './shared/message.js';
import { assertKnown, fields, flag } from './shared/option-checks.js';
import type { LaneOrder } from './shared/order.js';
import type { Subscription } from './subscription.js';
import { Lane } from './threads/lane.js';
import type { LaneOptions } from './threads/lane-contract.js';
import { loadError } from './threads/load-failure.js';
import { MainLane } from './threads/main-lane.js';
import type { AnyLane, Threads } from './threads/threads.js';
import { type UnsubscribeParts, Unsubscriber } from './unsubscribe.js';

export interface SubscribeParts extends UnsubscribeParts {
  readonly instance: string;
  readonly publisher: Publisher;
  readonly replies: Replies;
  readonly replays: Replays;
  readonly events: BusEmitter;
  readonly describer: FailureDescriber;
  /** Null: all is in memory. */
  readonly remote: Remote | null;
}

interface LaneKind extends Pick<ResolvedSubscribeOptions, 'concurrency' | 'ordering'> {
  readonly isQuarantine?: boolean;
}

/** How long stopping waits for dead letters to reach the disk, and how often it looks, in milliseconds. */
const STORE_TIMEOUT_MS = 10_000;
const STORED_POLL_MS = 5;

type AnyHandler = HandlerDefinition | Handler | URL | string;

/** In quarantine. The order of a key is kept by the lane that it was taken out of: its others wait there for the verdict. */
const QUARANTINE = { concurrency: 1, ordering: 'none', isQuarantine: true } as const;

/** Belongs to one bus. Runs on the main thread. */
export class Subscriber {
  readonly #parts: SubscribeParts;
  readonly #news: News;
  readonly #unsubscriber: Unsubscriber;
  readonly inflows: Inflows;

  constructor(parts: SubscribeParts) {
    this.#parts = parts;
    this.#news = new News(parts);
    this.inflows = new Inflows(parts);
    this.#unsubscriber = new Unsubscriber(parts, this.inflows);
  }

  /** @throws BUSBAR_DUPLICATE_SUBSCRIPTION, BUSBAR_HANDLER_LOAD, BUSBAR_INVALID_OPTION, BUSBAR_NOT_RUNNING */
  async subscribe(
    pattern: string,
    handler: AnyHandler,
    given: ResolvedSubscribeOptions,
    threads: Threads,
  ): Promise<Subscription> {
    const options = { ...given, codec: codecOf(handler, given, this.#parts.options) };
    const { breakers, subscriptions } = this.#parts;
    if (subscriptions.find(pattern, options.subscriberId) !== undefined) {
      const what = `${options.subscriberId} has subscribed to ${pattern} already`;
      throw new BusbarError('BUSBAR_DUPLICATE_SUBSCRIPTION', what);
    }
    const { breakerName } = options;
    const isNamed = breakerName !== `${pattern}#${options.subscriberId}`;
    const breaker = options.breaker === false ? null : breakers.hold(breakerName, options.breaker, isNamed);
    const subscription = new LiveSubscription(
      pattern,
      options,
      breaker?.local ?? null,
      this.#parts.options.clock,
      (pressed) => this.#parts.pressure.begin(pressed),
    );
    this.#parts.options.testing?.subscribed(subscription);
    // Reserved before the first wait, so that two calls at once do not both succeed.
    subscriptions.add(subscription);
    try {
      const source = sourceOf(handler, options);
      if (source !== undefined) await this.#load(source, threads);
      subscription.source = source;
      const add = (lane: AnyLane): AnyLane => {
        subscription.lanes.push(lane);
        threads.add(lane, source);
        return lane;
      };
      for (let index = 0; index < options.lanes; index++) {
        if (source === undefined) add(this.#mainLane(subscription, handler as Handler, threads));
        else add(this.#lane(subscription, source, breaker, threads));
      }
      if (source !== undefined) {
        subscription.addQuarantine = () => add(this.#lane(subscription, source, breaker, threads, QUARANTINE));
      }
      await this.inflows.open(subscription);
    } catch (error) {
      await this.#unsubscriber.tearDown(subscription, threads);
      subscriptions.remove(subscription);
      if (breaker !== null) breakers.letGo(breakerName);
      throw error;
    }
    this.#parts.router.add(pattern, subscription);
    return this.#handleOf(subscription, threads);
  }

  /** Resolves once no dead letter waits for the disk, or it has for too long. The transport's own end waits for those on their way to it. */
  async lettersKept(): Promise<void> {
    const { subscriptions, remote } = this.#parts;
    const latest = systemClock.elapsed() + STORE_TIMEOUT_MS;
    while (subscriptions.pending > (remote?.unstoredLetters ?? 0) && systemClock.elapsed() < latest)
      await new Promise<void>((resume) => systemClock.after(STORED_POLL_MS, resume, true));
  }

  /** Ends all; what is not settled by then is dead-lettered. */
  closeAll(threads: Threads): Promise<void> {
    return this.#unsubscriber.closeAll(threads);
  }

  async #load(source: HandlerSource, threads: Threads): Promise<void> {
    const report = (error: BusbarError): void =>
      this.#parts.settler.report(this.#parts.notes.incident('subscribe', error, 'setup', { handler: source.url }));
    const result = await threads.load(source, this.#parts.options.redact, (failure) => report(loadError(failure)));
    if (result === null) throw new BusbarError('BUSBAR_NOT_RUNNING', 'subscribe: the bus was stopped meanwhile');
    if (result.kind !== 'not-loaded') return;
    const error = loadError(result.failure);
    report(error);
    throw error;
  }

  #lane(
    subscription: LiveSubscription,
    handler: HandlerSource,
    breaker: LaneOptions['breaker'],
    threads: Threads,
    { concurrency, ordering, isQuarantine = false }: LaneKind = subscription.options,
  ): Lane {
    const { options, pattern } = subscription;
    const { redact, ringBytes, enableErrorHandling, testing, maxMessageBytes } = this.#parts.options;
    return new Lane(
      {
        handler,
        names: { instance: this.#parts.instance, pattern },
        shape: {
          ringBytes,
          concurrency,
          depth: depthOf(options),
        },
        breaker,
        whenOpen: options.whenOpen,
        deadline: options.deadline,
        graceMs: options.graceMs,
        bytes: options.bytes,
        maxMessageBytes,
        order: this.#orderOf(ordering, concurrency),
        rate: subscription.rate,
        redact,
        describeErrors: enableErrorHandling,
        testing: testing?.laneTesting(subscription) ?? null,
        tellsHandled: this.#parts.remote !== null,
        isQuarantine,
      },
      threads.surroundings,
      this.#news.eventsOf(subscription),
    );
  }

  #mainLane(subscription: LiveSubscription, handle: Handler, threads: Threads): MainLane {
    const { options, breaker, pattern } = subscription;
    const { instance, describer } = this.#parts;
    const tellsHandled = this.#parts.remote !== null;
    const { validate, codec, whenOpen, deadline, graceMs, concurrency } = options;
    const names = { instance, pattern };
    const order = this.#orderOf(options.ordering, concurrency);
    const tellsSuccess = this.#parts.options.testing !== null;
    return new MainLane(
      {
        handle,
        call: { validate, codec: typeof codec === 'object' ? codec : undefined },
        names,
        breaker,
        whenOpen,
        deadline,
        graceMs,
        concurrency,
        describer,
        order,
        rate: subscription.rate,
        tellsSuccess,
        tellsHandled,
      },
      threads.surroundings,
      this.#news.eventsOf(subscription),
    );
  }

  #orderOf(ordering: Ordering, concurrency: number): LaneOrder | null {
    if (ordering === 'none') return null;
    return { ordering, ordersUnkeyed: concurrency === 1, retries: this.#parts.options.enableErrorHandling };
  }

  #handleOf(subscription: LiveSubscription, threads: Threads): Subscription {
    const { pattern, subscriberId } = subscription;
    return {
      pattern,
      subscriberId,
      pause: () => subscription.pause(),
      resume: () => subscription.resume(),
      unsubscribe: async (options = {}) => {
        assertKnown('options', fields('options', options), ['drain']);
        return this.#unsubscriber.unsubscribe(subscription, flag('drain', options.drain ?? true), threads);
      },
    };
  }
}
