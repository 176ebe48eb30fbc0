// The bus's shared retry budget: retries may be a part of the deliveries, and no more, so that a storm of them cannot
// drown the rest. After Finagle's RetryBudget; but here a retry waits for its turn, it is not refused.
import { invalidOption } from '../shared/errors.js';

/** How many retries a bus may make, all subscriptions together; those beyond it wait for their turn. */
export interface RetryBudgetOptions {
  /** Retries that each routed delivery pays for, from 0 to 1000. Default 0.2. */
  readonly perDelivery?: number;
  /** Retries that are free each second, more than 0. Default 10. */
  readonly perSecond?: number;
}

/** What may be saved up. */
const MOST_SAVED = 10_000;
const AT_START = 100;

/** Belongs to one bus. Runs on the main thread. */
export class RetryBudget {
  readonly #perDelivery: number;
  readonly #perSecond: number;
  #saved = AT_START;
  #lastDeliveries = 0;
  #lastElapsed: number;

  /**
   * @param elapsed `Clock.elapsed()`
   * @param options false: no retry waits for its turn
   */
  constructor(elapsed: number, options: RetryBudgetOptions | false = {}) {
    this.#lastElapsed = elapsed;
    const { perDelivery = 0.2, perSecond = 10 } = options === false ? { perSecond: Number.POSITIVE_INFINITY } : options;
    this.#perDelivery = perDelivery;
    this.#perSecond = perSecond;
  }

  /**
   * Takes one retry out of the budget.
   *
   * @param deliveries routed so far
   * @returns how long the retry must wait for its turn, in milliseconds
   */
  take(deliveries: number, elapsed: number): number {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return 0;
    const earned =
      (deliveries - this.#lastDeliveries) * this.#perDelivery +
      ((elapsed - this.#lastElapsed) / 1000) * this.#perSecond;
    this.#lastDeliveries = deliveries;
    this.#lastElapsed = elapsed;
    this.#saved = Math.min(MOST_SAVED, this.#saved + earned) - 1;
    return this.#saved >= 0 ? 0 : (-this.#saved / this.#perSecond) * 1000;
  }
}

/** @throws BUSBAR_INVALID_OPTION */
export function checkedRetryBudget(budget: unknown = {}): RetryBudgetOptions | false {
  if (budget === false) return false;
  if (typeof budget !== 'object' || budget === null) throw invalidOption('retryBudget', 'an object or false', budget);
  const { perDelivery, perSecond, ...others } = budget as Record<string, unknown>;
  for (const name of Object.keys(others)) throw invalidOption('retryBudget', 'of perDelivery and perSecond', name);
  if (perDelivery !== undefined && !(typeof perDelivery === 'number' && perDelivery >= 0 && perDelivery <= 1000)) {
    throw invalidOption('retryBudget.perDelivery', 'a number from 0 to 1000', perDelivery);
  }
  if (perSecond !== undefined && !(typeof perSecond === 'number' && perSecond > 0)) {
    throw invalidOption('retryBudget.perSecond', 'a number > 0', perSecond);
  }
  return budget as RetryBudgetOptions;
}
