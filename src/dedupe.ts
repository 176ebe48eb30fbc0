// Remembers the ids that publishers gave, so that a message which is published again is routed once.
import type { Clock } from './shared/clock.js';

/** Ids remembered at most; the oldest are forgotten first. */
const MOST_IDS = 100_000;

interface Published {
  /** `Clock.elapsed()`. */
  readonly at: number;
  /** Subscriptions that have not accepted it. */
  refusedBy: readonly object[];
}

const NOBODY: readonly object[] = [];

/** Belongs to one bus. Runs on the main thread; an id counts for its topic. */
export class Dedupe {
  readonly #windowMs: number;
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #published = new Map<string, Published>();
  /** Messages that were not routed again. */
  duplicates = 0;

  /** @param windowMs for how long an id is remembered; 0: not at all */
  constructor(windowMs: number, clock: Clock) {
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  /**
   * Those of these subscriptions that are to have the message; null: none, for it was published to this topic within the
   * window. From now on it is, for those that do not refuse it.
   */
  missing<T extends object>(topic: string, id: string, subscriptions: readonly T[]): readonly T[] | null {
    if (this.#windowMs === 0) return subscriptions;
    const now = this.#clock.elapsed();
    this.#forgetOld(now);
    const key = keyOf(topic, id);
    const known = this.#published.get(key);
    if (known === undefined) {
      this.#published.set(key, { at: now, refusedBy: NOBODY });
      return subscriptions;
    }
    const missing = subscriptions.filter((subscription) => known.refusedBy.includes(subscription));
    known.refusedBy = NOBODY;
    if (missing.length > 0) return missing;
    this.duplicates++;
    return null;
  }

  /** These have refused it after all: for them it may be published again. */
  refused(topic: string, id: string, refusedBy: readonly object[]): void {
    const known = this.#published.get(keyOf(topic, id));
    if (known !== undefined) known.refusedBy = refusedBy;
  }

  #forgetOld(now: number): void {
    for (const [key, { at }] of this.#published) {
      if (now - at < this.#windowMs && this.#published.size < MOST_IDS) return;
      this.#published.delete(key);
    }
  }
}

function keyOf(topic: string, id: string): string {
  return `${topic}\n${id}`;
}
