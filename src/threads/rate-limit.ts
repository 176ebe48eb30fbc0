// How often the handlers of a subscription may be started: a token bucket that its lanes share.
import type { Clock, Timer } from '../shared/clock.js';

/** At most so many starts. */
export interface RateLimitOptions {
  /** On average, more than 0. */
  readonly perSecond: number;
  /** At once after a pause, 1 or more. Default: those of 10 ms, and 1 at least. */
  readonly burst?: number;
}

/** The starts that may be made up for at once. */
export function burstOf({ perSecond, burst }: RateLimitOptions): number {
  return burst ?? Math.max(1, Math.ceil(perSecond / 100));
}

/** Belongs to one subscription. Runs on the main thread. */
export class RateLimit {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #tokens: number;
  #countedAt: number;
  #timer: Timer | undefined;

  constructor(options: RateLimitOptions, clock: Clock) {
    this.#perMs = options.perSecond / 1000;
    this.#burst = burstOf(options);
    this.#clock = clock;
    this.#tokens = this.#burst;
    this.#countedAt = clock.elapsed();
  }

  /** True: one may be started now; {@link spend} then. False: `resume` is called when it may. */
  isReady(resume: () => void): boolean {
    const now = this.#clock.elapsed();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#countedAt) * this.#perMs);
    this.#countedAt = now;
    // A sum of fractions may come to a little less than the whole it stands for.
    if (this.#tokens > 1 - 1e-9) return true;
    this.#waiting.add(resume);
    this.#timer ??= this.#clock.after((1 - this.#tokens) / this.#perMs, () => this.#resume());
    return false;
  }

  spend(): void {
    this.#tokens--;
  }

  /** Those that are refused again wait behind the others. */
  #resume(): void {
    this.#timer = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }
}
