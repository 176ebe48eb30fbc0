// Attempts that have failed by a late throw while their functions run on: the next attempt must not run beside them.
import type { Clock } from '../../src/shared/clock.js';
import type { RingAttempt } from './place.js';

/** Belongs to one drain. */
export class Lingering {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #onOver: () => void;
  readonly #over = new Set<RingAttempt>();

  /** @param onOver called when the function of an attempt has not settled in time: only the end of its thread ends it */
  constructor(clock: Clock, graceMs: number, onOver: () => void) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#onOver = onOver;
  }

  /** Those whose functions have not settled in time. */
  get over(): ReadonlySet<RingAttempt> {
    return this.#over;
  }

  /** From here on its function has the grace to settle. */
  begin(attempt: RingAttempt): void {
    this.#clock.after(this.#graceMs, () => {
      if (attempt.hasEnded) return;
      this.#over.add(attempt);
      this.#onOver();
    });
  }

  ended(attempt: RingAttempt): void {
    if (attempt.lateThrow !== null) this.#over.delete(attempt);
  }
}
