// How long a lane stands still: while its breaker is open, or when its threads keep dying.
import type { SharedBreaker } from '../shared/breaker.js';
import type { Clock, Timer } from '../shared/clock.js';
import { StormGuard } from '../shared/storm-guard.js';

/** An open breaker is looked at again this soon at the latest, in milliseconds: it may be closed by hand. */
const HELD_POLL_MS = 50;
/** This many deaths without a culprit within the window make a storm. */
export const STORM_DEATHS = 5;
/** Then the lane stands still as long, in milliseconds. */
export const STORM_WINDOW_MS = 60_000;

/** A handler that could not be loaded is loaded again after this time, in milliseconds; a few of these make a storm. */
export const UNLOADED_MS = 2000;

/** Belongs to one lane. Runs on the main thread. */
export class Standstill {
  readonly #clock: Clock;
  readonly #breaker: SharedBreaker | null;
  readonly #over: (reason: 'held' | 'storm') => void;
  readonly #storm = new StormGuard(STORM_DEATHS, STORM_WINDOW_MS);
  #timer: Timer | undefined;

  constructor(clock: Clock, breaker: SharedBreaker | null, over: (reason: 'held' | 'storm') => void) {
    this.#clock = clock;
    this.#breaker = breaker;
    this.#over = over;
  }

  /** @param unloadedMs the handler could not be loaded, and is not tried again before; 0: it is the breaker that is open */
  begin(reason: 'held' | 'storm', unloadedMs: number): void {
    if (reason === 'storm') this.#wait('storm', STORM_WINDOW_MS);
    else if (unloadedMs > 0) this.#wait('held', unloadedMs);
    else this.#wait('held', Math.min(this.#breaker?.retryAfterMs || HELD_POLL_MS, HELD_POLL_MS));
  }

  /** A thread died, and no delivery is to blame. True: that makes a storm. */
  died(): boolean {
    return this.#storm.died(this.#clock.elapsed());
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #wait(reason: 'held' | 'storm', ms: number): void {
    this.#timer = this.#clock.after(ms, () => {
      if (reason === 'held' && this.#breaker?.admits() === false) this.#wait('held', HELD_POLL_MS);
      else this.#over(reason);
    });
  }
}
