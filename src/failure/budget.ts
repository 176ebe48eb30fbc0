// The bus's shared retry budget: retries may be a part of the deliveries, and no more, so that a storm of them cannot
// drown the rest. After Finagle's RetryBudget; but here a retry waits for its turn, it is not refused.

/** Retries that each delivery pays for. */
const PER_DELIVERY = 0.2;
/** Retries that are free, a second. */
const PER_SECOND = 10;
/** What may be saved up. */
const MOST_SAVED = 10_000;
const AT_START = 100;

/** Belongs to one bus. Runs on the main thread. */
export class RetryBudget {
  #saved = AT_START;
  #lastDeliveries = 0;
  #lastElapsed: number;

  /** @param elapsed `Clock.elapsed()` */
  constructor(elapsed: number) {
    this.#lastElapsed = elapsed;
  }

  /**
   * Takes one retry out of the budget.
   *
   * @param deliveries routed so far
   * @returns how long the retry must wait for its turn, in milliseconds
   */
  take(deliveries: number, elapsed: number): number {
    const earned =
      (deliveries - this.#lastDeliveries) * PER_DELIVERY + ((elapsed - this.#lastElapsed) / 1000) * PER_SECOND;
    this.#lastDeliveries = deliveries;
    this.#lastElapsed = elapsed;
    this.#saved = Math.min(MOST_SAVED, this.#saved + earned) - 1;
    return this.#saved >= 0 ? 0 : (-this.#saved / PER_SECOND) * 1000;
  }
}
