// The attempts of a lane on the main thread that have begun and not ended.
import type { MainAttempt } from './main-attempt.js';
import type { Patience } from './patience.js';
import { Reprieve } from './reprieve.js';

export class Running {
  /** Whose handler has not returned: one at a time. Most are over then: they go into no set. */
  #called: MainAttempt | undefined;
  /** Whose handler's promise is not settled. */
  readonly #waiting = new Set<MainAttempt>();
  readonly #reprieve: Reprieve;

  /** @param graceMs from the deadline until an attempt is given up */
  constructor(graceMs: number) {
    this.#reprieve = new Reprieve(graceMs);
  }

  get size(): number {
    return this.#called === undefined ? this.#waiting.size : this.#waiting.size + 1;
  }

  /** Those that are to be given up. To be called again and again. */
  overdue(patience: Patience, elapsed: number): readonly MainAttempt[] {
    const isOver = ({ startedAt, delivery }: MainAttempt): boolean =>
      patience.isOver(elapsed - startedAt, delivery.timeouts);
    const overdue = [...this.#waiting].filter(isOver);
    return this.#reprieve.spares(overdue, elapsed) ? [] : overdue;
  }

  /** Its handler is called. */
  begin(attempt: MainAttempt): void {
    this.#called = attempt;
  }

  /** Its handler has returned a promise. Does nothing if it was taken meanwhile. */
  wait(attempt: MainAttempt): void {
    if (attempt === this.#called) this.#waiting.add(attempt);
    this.#called = undefined;
  }

  end(attempt: MainAttempt): void {
    if (attempt === this.#called) this.#called = undefined;
    else this.#waiting.delete(attempt);
  }

  takeAll(): MainAttempt[] {
    const all = [...this.#waiting, ...(this.#called === undefined ? [] : [this.#called])];
    this.#waiting.clear();
    this.#called = undefined;
    return all;
  }
}
