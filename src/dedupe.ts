// Remembers the ids that publishers gave, so that a message which is published again is routed once.
import type { Clock } from './shared/clock.js';

/** Ids remembered at most; the oldest are forgotten first. */
const MOST_IDS = 100_000;

/** Belongs to one bus. Runs on the main thread; an id counts for its topic. */
export class Dedupe {
  readonly #windowMs: number;
  readonly #clock: Clock;
  /** When each was published, as `Clock.elapsed()`, oldest first. */
  readonly #published = new Map<string, number>();
  /** Messages that were not routed again. */
  duplicates = 0;

  /** @param windowMs for how long an id is remembered; 0: not at all */
  constructor(windowMs: number, clock: Clock) {
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  /** True: it was published to this topic within the window. Else it is, from now on. */
  isDuplicate(topic: string, id: string): boolean {
    if (this.#windowMs === 0) return false;
    const now = this.#clock.elapsed();
    this.#forgetOld(now);
    const key = keyOf(topic, id);
    if (this.#published.has(key)) {
      this.duplicates++;
      return true;
    }
    this.#published.set(key, now);
    return false;
  }

  /** It was refused after all, and may be published again. */
  forget(topic: string, id: string): void {
    this.#published.delete(keyOf(topic, id));
  }

  #forgetOld(now: number): void {
    for (const [key, publishedAt] of this.#published) {
      if (now - publishedAt < this.#windowMs && this.#published.size < MOST_IDS) return;
      this.#published.delete(key);
    }
  }
}

function keyOf(topic: string, id: string): string {
  return `${topic}\n${id}`;
}
