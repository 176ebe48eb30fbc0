// How a drain waits for its next message: where one is likely to come at once it looks again for a while, or soon, it dozes.
import { availableParallelism } from 'node:os';
import { systemClock } from '../../src/shared/clock.js';
import { DOZE_MS, type Doorbell } from '../../src/shared/doorbell.js';

/** Looking again for about 30 µs is cheaper than the 25 µs that waking a sleeper costs both sides. */
const SPINS = availableParallelism() > 1 ? 1500 : 0;
/**
 * Only after a sleep shorter than this, in milliseconds, is the next message likely to come so soon. Otherwise a spin would be
 * wasted, and may keep main, woken on the same core, from reading what it was just told: 30 of 80 µs of a round trip.
 */
const SHORT_SLEEP_MS = 0.25;
/**
 * So often a lane dozes before it sleeps, where the last message came within that time: each that is not cut short costs a turn
 * of the event loop, 10 µs.
 * Its handler's own timers and sockets may be late by a doze, or by what its drain lets pass between two turns.
 */
const DOZES = 10;

/** Belongs to one drain. */
export class Vigil {
  readonly #bell: Doorbell;
  /** Messages come one soon after the other. */
  #isBrisk = true;
  /** A message is likely to come before the dozes are over. */
  #mayDoze = true;

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

  /**
   * Until rung, unless `isReady`.
   *
   * @param isIdle no handler is at work, so that none waits for the event loop
   * @returns true: the event loop has had a turn meanwhile
   */
  async sleep(isReady: () => boolean, isIdle: boolean): Promise<boolean> {
    const began = systemClock.elapsed();
    const hasTurned = await this.#bell.sleep(isReady, undefined, isIdle && this.#mayDoze ? DOZES : 0);
    const sleptMs = systemClock.elapsed() - began;
    this.#isBrisk = sleptMs < SHORT_SLEEP_MS;
    this.#mayDoze = sleptMs < DOZES * DOZE_MS;
    return hasTurned;
  }
}

/** The event loop has a turn meanwhile: timers, sockets, late throws. */
export function turnOfLoop(): Promise<void> {
  return new Promise((resume) => setImmediate(resume));
}
