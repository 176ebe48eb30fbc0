// Back-pressure: which subscriptions are above their high watermark, and who waits until they are below the low one.
import type { BusEmitter, QueueState } from './events.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Publisher } from './publish.js';
import type { Router } from './routing/router.js';
import { systemClock, type Timer } from './shared/clock.js';
import { BusbarError } from './shared/errors.js';
import { assertPublishOptions, type PublishOptions } from './shared/publish-options.js';
import { assertTopic } from './shared/topics.js';

/** A queue under pressure is looked at this often while it moves, in milliseconds. */
const LOOK_MS = 1;
/** And this often while it does not. */
const LOOK_SELDOM_MS = 64;

/** Belongs to one bus. Runs on the main thread; while nothing is under pressure, it does nothing. */
export class Pressure {
  readonly #events: BusEmitter;
  readonly #router: Router<LiveSubscription>;
  readonly #publisher: Publisher;
  readonly #pressed = new Set<LiveSubscription>();
  #waiting: (() => void)[] = [];
  #timer: Timer | undefined;
  #lookMs = LOOK_MS;
  #lastSeen = 0;

  constructor(events: BusEmitter, router: Router<LiveSubscription>, publisher: Publisher) {
    this.#events = events;
    this.#router = router;
    this.#publisher = publisher;
  }

  /** This subscription has come to its high watermark. */
  begin(subscription: LiveSubscription): void {
    this.#pressed.add(subscription);
    this.#events.emit('pressure', stateOf(subscription));
    this.#look(LOOK_MS);
  }

  /** This subscription is gone. */
  forget(subscription: LiveSubscription): void {
    if (this.#pressed.delete(subscription)) this.#resume();
  }

  /**
   * Resolves when no subscription that matches is under pressure; at once when none is.
   *
   * @param topic default: all
   * @throws BUSBAR_INVALID_TOPIC
   */
  async ready(topic?: string): Promise<void> {
    if (topic !== undefined) assertTopic(topic);
    while (!this.#isReady(topic)) await this.#change();
  }

  /**
   * Publishes as soon as no subscription that matches is under pressure; those that wait go in the order in which they came.
   *
   * @throws BUSBAR_NOT_RUNNING, BUSBAR_INVALID_TOPIC, BUSBAR_INVALID_OPTION, BUSBAR_REFUSED
   */
  async publish(topic: string, payload: unknown, options: PublishOptions = {}): Promise<void> {
    assertPublishOptions(options);
    assertTopic(topic);
    // Looked at once more after the wait: those that waited before this one may have filled the queue.
    while (!this.#isReady(topic)) await this.#change();
    if (!this.#publisher.isOpen) throw new BusbarError('BUSBAR_NOT_RUNNING', 'publishAsync: the bus is not running');
    if (this.#publisher.publish(topic, payload, options)) return;
    throw new BusbarError(
      'BUSBAR_REFUSED',
      `a subscription has not accepted the message to ${topic}; a report says why`,
    );
  }

  #isReady(topic: string | undefined): boolean {
    if (this.#pressed.size === 0) return true;
    if (topic === undefined) return false;
    return this.#router.match(topic)?.some((subscription) => this.#pressed.has(subscription)) !== true;
  }

  #change(): Promise<void> {
    return new Promise((resume) => this.#waiting.push(resume));
  }

  #look(afterMs: number): void {
    this.#timer?.cancel();
    this.#lookMs = afterMs;
    this.#timer = systemClock.after(afterMs, () => this.#lookAround());
  }

  #lookAround(): void {
    let seen = 0;
    const drained: LiveSubscription[] = [];
    for (const subscription of this.#pressed) {
      this.#publisher.sweep(subscription);
      seen += subscription.depth().deliveries;
      if (subscription.hasDrained()) drained.push(subscription);
    }
    for (const subscription of drained) this.#pressed.delete(subscription);
    for (const subscription of drained) this.#events.emit('drain', stateOf(subscription));
    if (drained.length > 0) this.#resume();
    const isMoving = seen !== this.#lastSeen;
    this.#lastSeen = seen;
    if (this.#pressed.size > 0) this.#look(isMoving ? LOOK_MS : Math.min(2 * this.#lookMs, LOOK_SELDOM_MS));
  }

  /** Those for whom it is not so yet wait again, in the same order. */
  #resume(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }
}

function stateOf(subscription: LiveSubscription): QueueState {
  const { subscriberId, pattern } = subscription;
  return { subscriberId, pattern, ...subscription.depth() };
}
