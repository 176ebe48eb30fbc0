// How a drain waits for its next message: it looks again for a while where one is likely to come at once, or it sleeps.
import { availableParallelism } from 'node:os';
import { systemClock } from '../../src/shared/clock.js';
import type { Doorbell } from '../../src/shared/doorbell.js';

/** Looking again for about 30 µs is cheaper than the 25 µs that waking a sleeper costs both sides. */
const SPINS = availableParallelism() > 1 ? 1500 : 0;
/**
 * Only after a sleep shorter than this, in milliseconds, is the next message likely to come so soon. Otherwise a spin would be
 * wasted, and may keep main, woken on the same core, from reading what it was just told: 30 of 80 µs of a round trip.
 */
const SHORT_SLEEP_MS = 0.25;

/** Belongs to one drain. */
export class Vigil {
  readonly #bell: Doorbell;
  /** Messages come one soon after the other. */
  #isBrisk = true;

  constructor(bell: Doorbell) {
    this.#bell = bell;
  }

  /** What `next` finds, looked for again and again for a short while. */
  spin<T>(next: () => T | undefined): T | undefined {
    if (!this.#isBrisk) return undefined;
    for (let spins = 0; spins < SPINS; spins++) {
      const found = next();
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Until rung, unless `isReady`. */
  async sleep(isReady: () => boolean): Promise<void> {
    const began = systemClock.elapsed();
    await this.#bell.sleep(isReady);
    this.#isBrisk = systemClock.elapsed() - began < SHORT_SLEEP_MS;
  }
}
