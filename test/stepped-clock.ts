// A clock that stands still until a test steps it.
import type { Clock, Timer } from '../src/index.js';

interface Waiting {
  dueAt: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
}

export class SteppedClock implements Clock {
  #elapsed = 0;
  readonly #waiting = new Set<Waiting>();

  /** Milliseconds since 1970 at which the clock begins. */
  readonly #start: number;

  constructor(start = 1_700_000_000_000) {
    this.#start = start;
  }

  now = (): number => this.#start + this.#elapsed;
  elapsed = (): number => this.#elapsed;

  /** Timers that have not fired and were not cancelled. */
  get timers(): number {
    return this.#waiting.size;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#wait({ dueAt: this.#elapsed + delayMs, periodMs: undefined, run });
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#wait({ dueAt: this.#elapsed + periodMs, periodMs, run });
  }

  /** Lets `ms` pass: timers fire in the order in which they are due, each at its time. */
  step(ms: number): void {
    const end = this.#elapsed + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#elapsed = next.dueAt;
      if (next.periodMs === undefined) this.#waiting.delete(next);
      else next.dueAt += next.periodMs;
      next.run();
    }
    this.#elapsed = end;
  }

  #wait(waiting: Waiting): Timer {
    this.#waiting.add(waiting);
    return { cancel: () => this.#waiting.delete(waiting) };
  }

  #next(end: number): Waiting | undefined {
    const due = [...this.#waiting].filter(({ dueAt }) => dueAt <= end);
    return due.sort((a, b) => a.dueAt - b.dueAt)[0];
  }
}
