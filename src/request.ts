// Requests: a message to the one subscription that matches, whose handler's value comes back.
import type { LiveSubscription } from './live-subscription.js';
import type { Publisher } from './publish.js';
import type { Replies } from './replies.js';
import type { Router } from './routing/router.js';
import { BreakerOpenError } from './shared/circuit-breaker.js';
import { BusbarError, invalidOption } from './shared/errors.js';
import { assertRequestOptions, type RequestOptions } from './shared/publish-options.js';
import { assertTopic } from './shared/topics.js';

export interface RequestParts {
  readonly router: Router<LiveSubscription>;
  readonly publisher: Publisher;
  readonly replies: Replies;
}

const DEFAULTS: RequestOptions = {};
const DEFAULT_TIMEOUT_MS = 10_000;

/** Belongs to one bus. Runs on the main thread. */
export class Requests {
  readonly #parts: RequestParts;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** Never throws: what is wrong comes as a rejection. */
  send(topic: string, payload: unknown, options: RequestOptions = DEFAULTS): Promise<unknown> {
    const { publisher, replies } = this.#parts;
    try {
      if (!publisher.isOpen) throw new BusbarError('BUSBAR_NOT_RUNNING', 'request: the bus is not running');
      const timeoutMs = options === DEFAULTS ? DEFAULT_TIMEOUT_MS : checkedTimeout(options);
      const subscription = this.#handlerOf(topic);
      return publisher.request(subscription, topic, payload, options, replies, timeoutMs);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #handlerOf(topic: string): LiveSubscription {
    const subscriptions = this.#parts.router.match(topic) ?? [];
    const subscription = subscriptions[0];
    if (subscription === undefined) {
      assertTopic(topic);
      throw new BusbarError('BUSBAR_NO_HANDLER', `nobody has subscribed to ${topic}`);
    }
    const matches = subscriptions.length;
    if (matches > 1) throw new BusbarError('BUSBAR_AMBIGUOUS_REQUEST', `${matches} subscriptions match ${topic}`);
    if (subscription.breaker?.admits() === false) {
      throw new BreakerOpenError(subscription.breakerName, subscription.retryAfterMs);
    }
    return subscription;
  }
}

/** @throws BUSBAR_INVALID_OPTION */
function checkedTimeout(options: RequestOptions): number {
  assertRequestOptions(options);
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  if (typeof timeoutMs === 'number' && timeoutMs > 0) return timeoutMs;
  throw invalidOption('timeoutMs', 'a number of milliseconds > 0', timeoutMs);
}
