// Ends subscriptions: lets them come to their end, closes their lanes, gives up what is left, and takes their handlers down.
import type { Breakers } from './breakers.js';
import type { RetrySchedule } from './failure/retries.js';
import type { FailureNotes } from './failure-notes.js';
import type { Inflows } from './inflows.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Pressure } from './pressure.js';
import type { ResolvedBusOptions } from './resolved-options.js';
import type { Router } from './routing/router.js';
import type { Settler } from './settle.js';
import type { Retry } from './settle-parts.js';
import { systemClock } from './shared/clock.js';
import type { Subscriptions } from './subscriptions.js';
import type { AnyLane, Threads } from './threads/threads.js';

export interface UnsubscribeParts {
  readonly options: ResolvedBusOptions;
  readonly subscriptions: Subscriptions;
  readonly router: Router<LiveSubscription>;
  readonly settler: Settler;
  readonly retries: RetrySchedule<Retry>;
  readonly notes: FailureNotes;
  readonly pressure: Pressure;
  readonly breakers: Breakers;
}

/** How often unsubscribing looks whether all is settled, in milliseconds. */
const SETTLED_POLL_MS = 5;

/** Belongs to one bus. Runs on the main thread. */
export class Unsubscriber {
  readonly #parts: UnsubscribeParts;
  readonly #inflows: Inflows;

  constructor(parts: UnsubscribeParts, inflows: Inflows) {
    this.#parts = parts;
    this.#inflows = inflows;
  }

  /**
   * Ends one subscription.
   *
   * @param drain first waits until all that it holds is settled; a later call without it cuts that short
   * @returns false: it has ended, or somebody is about it
   */
  async unsubscribe(subscription: LiveSubscription, drain: boolean, threads: Threads): Promise<boolean> {
    if (!drain) subscription.isCutShort = true;
    if (!subscription.isOpen) return false;
    subscription.isOpen = false;
    if (drain) subscription.resume();
    const { subscriptions, router, breakers } = this.#parts;
    router.remove(subscription.pattern, subscription);
    await this.#inflows.pause(subscription);
    while (!subscription.isCutShort && subscription.pending > 0 && subscriptions.has(subscription)) {
      await new Promise<void>((resume) => systemClock.after(SETTLED_POLL_MS, resume, true));
    }
    await this.close(subscription, threads);
    await this.#inflows.close(subscription);
    subscriptions.remove(subscription);
    if (subscription.breaker !== null) breakers.letGo(subscription.options.breakerName);
    return true;
  }

  /** Ends all; what is not settled by then is dead-lettered. */
  async closeAll(threads: Threads): Promise<void> {
    await Promise.all([...this.#parts.subscriptions].map((subscription) => this.close(subscription, threads)));
  }

  /** Ends the lanes; what they, and the schedule of retries, still hold is dead-lettered. */
  async close(subscription: LiveSubscription, threads: Threads): Promise<void> {
    subscription.isOpen = false;
    // From here on settle and publish give up what still comes, for the lanes will not take it.
    subscription.isClosed = true;
    this.#parts.pressure.forget(subscription);
    const { retries, settler, notes } = this.#parts;
    // Before any lane is closed: one that fell due meanwhile would go to a lane that takes none, or begin one that nobody ends.
    const retrying = retries.takeWhere((retry) => retry.subscription === subscription).map(({ delivery }) => delivery);
    for (const delivery of retrying) subscription.endsWaiting(delivery);
    subscription.settling += retrying.length;
    const close = async (lane: AnyLane) => {
      const left = await lane.close();
      subscription.settling += left.length;
      return left;
    };
    const closed = await Promise.all(subscription.lanes.map(close));
    // Those that go back to a transport go in their order.
    const left = [retrying, ...closed].flat().sort((one, other) => one.number - other.number);
    for (const delivery of left) {
      subscription.settling--;
      settler.giveUp(subscription, delivery, notes.shutdown(delivery), 'shutdown');
    }
    await this.tearDown(subscription, threads);
  }

  /** Has the handler taken down, unless another subscription has it, too. What goes wrong is reported. */
  async tearDown({ lanes, source, options }: LiveSubscription, threads: Threads): Promise<void> {
    for (const lane of lanes) threads.remove(lane);
    if (source === undefined) return;
    const { settler, notes, options: busOptions } = this.#parts;
    const component = `subscription ${options.breakerName}`;
    for (const error of await threads.tearDown(source, options.graceMs, busOptions.redact))
      settler.report(notes.incident(component, error, 'handler'));
  }
}
