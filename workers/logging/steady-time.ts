// The time that letters age by: a clock that was set, or starts wrong, must not make them old at once.
import type { Clock } from '../../src/shared/clock.js';

/** The wall clock counts once it has gone on without a jump for so long, in milliseconds. */
const TRUST_MS = 24 * 60 * 60 * 1000;
/** Between two looks, in milliseconds; less is what clocks are corrected by all the time. */
const JUMP_MS = 60_000;

/** Belongs to the logging worker. Until the wall clock is trusted, only time that passes while this runs counts. */
export class SteadyTime {
  readonly #clock: Clock;
  #elapsed: number;
  #wall: number;
  /** Since when the wall clock went on without a jump. */
  #evenSince: number;
  #now: number;

  /** @param last the latest time that an earlier run has left, in seconds since 1970 */
  constructor(clock: Clock, last: number) {
    this.#clock = clock;
    this.#elapsed = clock.elapsed();
    this.#wall = clock.now();
    this.#evenSince = this.#elapsed;
    this.#now = Math.min(this.#wall, last * 1000);
  }

  /** Seconds since 1970. To be asked often: a jump shows between two looks. */
  now(): number {
    const elapsed = this.#clock.elapsed();
    const wall = this.#clock.now();
    const passed = elapsed - this.#elapsed;
    if (Math.abs(wall - this.#wall - passed) > JUMP_MS) this.#evenSince = elapsed;
    this.#elapsed = elapsed;
    this.#wall = wall;
    this.#now = elapsed - this.#evenSince >= TRUST_MS ? wall : this.#now + passed;
    return this.#now / 1000;
  }
}
