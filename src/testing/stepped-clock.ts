// The clock of tests: time passes when it is told to.
import { BusbarError, invalidOption } from '../shared/errors.js';
import { allocateTime, SharedTime } from '../shared/stepped-time.js';

const DEFAULT_START = Date.UTC(2030, 0, 1);

/** Options of a {@link SteppedClock}. */
export interface SteppedClockOptions {
  /** Milliseconds since 1970 at which the clock begins. Default: the beginning of 2030. */
  readonly startAt?: number;
}

/**
 * Nothing is ever late, and a minute passes in a microsecond. Given to a bus as its `clock`, it moves retries, deadlines,
 * breakers, TTLs and timestamps, on the main thread and on the worker threads. Code that asks Node for the time sees the
 * real one. Belongs to the thread that made it.
 */
export class SteppedClock extends SharedTime {
  #isStepping = false;

  /** @throws BUSBAR_INVALID_OPTION */
  constructor({ startAt = DEFAULT_START }: SteppedClockOptions = {}) {
    if (!Number.isFinite(startAt)) throw invalidOption('startAt', 'milliseconds since 1970', startAt);
    super(allocateTime(startAt));
  }

  /** Milliseconds until the next of this thread's timers that fire once is due; undefined: there is none. */
  get untilNext(): number | undefined {
    const next = this.firstOnce;
    return next === undefined ? undefined : next.dueAt - this.elapsed();
  }

  /**
   * Lets `ms` pass. This thread's timers fire before it returns, in the order in which they are due, each at its time.
   * Other threads see the end of the step, and fire theirs soon after.
   *
   * @param ms milliseconds, 0 or more
   * @throws BUSBAR_INVALID_OPTION, also when a timer steps its own clock; and what a timer throws
   */
  step(ms: number): void {
    if (!(Number.isFinite(ms) && ms >= 0)) throw invalidOption('ms', 'a number of milliseconds >= 0', ms);
    if (this.#isStepping)
      throw new BusbarError('BUSBAR_INVALID_OPTION', 'a timer may not step the clock that fires it');
    const end = this.elapsed() + ms;
    this.#isStepping = true;
    try {
      for (let next = this.first; next !== undefined && next.dueAt <= end; next = this.first) {
        this.setElapsed(next.dueAt);
        this.fire(next);
      }
      this.setElapsed(end);
    } finally {
      this.#isStepping = false;
      this.tellStep();
    }
  }
}
