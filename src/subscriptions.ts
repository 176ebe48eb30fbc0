// The subscriptions of a bus, by pattern and subscriber, from before their handlers are loaded until they have ended.
import type { LiveSubscription } from './live-subscription.js';

/** Belongs to one bus. Runs on the main thread. */
export class Subscriptions {
  readonly #all = new Map<string, LiveSubscription>();

  [Symbol.iterator](): Iterator<LiveSubscription> {
    return this.#all.values();
  }

  get pending(): number {
    let sum = 0;
    for (const subscription of this) sum += subscription.pending;
    return sum;
  }

  health(): ReturnType<LiveSubscription['health']>[] {
    return [...this].map((subscription) => subscription.health());
  }

  find(pattern: string, subscriberId: string): LiveSubscription | undefined {
    return this.#all.get(keyOf(pattern, subscriberId));
  }

  add(subscription: LiveSubscription): void {
    this.#all.set(keyOf(subscription.pattern, subscription.subscriberId), subscription);
  }

  has(subscription: LiveSubscription): boolean {
    return this.find(subscription.pattern, subscription.subscriberId) === subscription;
  }

  remove(subscription: LiveSubscription): void {
    this.#all.delete(keyOf(subscription.pattern, subscription.subscriberId));
  }
}

function keyOf(pattern: string, subscriberId: string): string {
  return `${pattern}\n${subscriberId}`;
}
