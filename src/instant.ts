// Both times of a clock at one moment, for hardly more than a look at one of them costs.
import type { Clock } from './shared/clock.js';

/** So long a wall-clock time, which counts whole milliseconds, passes for that of now, in milliseconds. */
const FRESH_MS = 0.5;

/** Belongs to one bus. Runs on the main thread. A look at either time costs 60 to 100 ns: as much as a tenth of a request. */
export class Instant {
  readonly #clock: Clock;
  /** `Clock.elapsed()` at the last look. */
  elapsed = 0;
  /** `Clock.now()` at the last look, or less than half a millisecond before it. */
  now = 0;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  look(): void {
    const elapsed = this.#clock.elapsed();
    // A clock of the user's may stand still, and be set meanwhile.
    const isFresh = elapsed > this.elapsed && elapsed - this.#readAt < FRESH_MS;
    this.elapsed = elapsed;
    if (isFresh) return;
    this.#readAt = elapsed;
    this.now = this.#clock.now();
  }
}
