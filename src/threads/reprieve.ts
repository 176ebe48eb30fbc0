// Time in which nobody looked at deadlines: what ran past its own meanwhile may have had none of that time either.
import type { Suspect } from './lane-ring.js';
import { LONGEST_GAP_MS } from './pulse.js';

/**
 * Belongs to one lane. Runs on the main thread. Times as `Clock.elapsed()`, in milliseconds. A thread that did not run could
 * not hear its signal: it hears it now, so the grace begins now, once for each attempt.
 */
export class Reprieve {
  readonly #graceMs: number;
  #lookedAt = 0;
  #begunAt = Number.NEGATIVE_INFINITY;

  /** @param graceMs from the deadline to the end of the thread */
  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** A drain begins: nothing of it could be looked at before. */
  reset(elapsed: number): void {
    this.#lookedAt = elapsed;
  }

  /** To be called at each look. True: those that are past deadline and grace may go on for now. */
  spares(overdue: readonly Pick<Suspect, 'startedAt'>[], elapsed: number): boolean {
    const gap = elapsed - this.#lookedAt;
    this.#lookedAt = elapsed;
    if (overdue.length === 0) return false;
    const isFirst = overdue.every(({ startedAt }) => startedAt > this.#begunAt);
    if (isFirst && gap > LONGEST_GAP_MS) this.#begunAt = elapsed;
    return elapsed - this.#begunAt <= this.#graceMs;
  }
}
