// What is known of deliveries that have failed, or were put off, and are not settled.
import type { FailureFacts } from './failure/recovery.js';
import type { Delivery } from './shared/delivery.js';
import type { Failure } from './shared/outcome.js';
import type { DeadLetter, ErrorCategory } from './shared/report.js';

interface Trail {
  category: ErrorCategory;
  /** Failures of this category in a row. */
  failedInRow: number;
  /** `Clock.elapsed()`. */
  readonly firstFailedAt: number;
  readonly history: DeadLetter['history'];
}

/** From so many times on, a delivery has been put off often. */
const OFTEN = 10;

/** Belongs to one subscription. Runs on the main thread. */
export class Trails {
  readonly #byNumber = new Map<number, Trail>();
  readonly #putOff = new Map<number, number>();
  /** Deliveries that their handler has put off often, and that are not settled. */
  putOffOften = 0;

  /**
   * Adds a failure; the count in a row starts again when the category changes.
   *
   * @param now seconds since 1970
   * @param elapsed `Clock.elapsed()`
   */
  add({ number }: Delivery, { category, signature }: Failure, now: number, elapsed: number): void {
    let trail = this.#byNumber.get(number);
    if (trail === undefined) {
      trail = { category, failedInRow: 0, firstFailedAt: elapsed, history: [] };
      this.#byNumber.set(number, trail);
    }
    trail.failedInRow = trail.category === category ? trail.failedInRow + 1 : 1;
    trail.category = category;
    const known = trail.history.find((entry) => entry.category === category && entry.signature === signature);
    if (known === undefined) trail.history.push({ category, signature, count: 1, first: now, last: now });
    else Object.assign(known, { count: known.count + 1, last: now });
  }

  /** What recovery has to know about the last failure. */
  factsOf(delivery: Delivery, failure: Failure, elapsed: number): FailureFacts {
    const trail = this.#byNumber.get(delivery.number);
    return {
      category: failure.category,
      failedInRow: trail?.failedInRow ?? delivery.failed,
      elapsedMs: trail === undefined ? 0 : elapsed - trail.firstFailedAt,
      retryAfterMs: failure.error.retry_after_ms,
    };
  }

  /** Each category and signature of the delivery's failures, oldest first. */
  historyOf({ number }: Delivery): DeadLetter['history'] | undefined {
    return this.#byNumber.get(number)?.history;
  }

  /** Its handler has put a delivery off, which costs no attempt. True: for the 10th, 100th, 1000th, … time. */
  putOff({ number }: Delivery): boolean {
    const times = (this.#putOff.get(number) ?? 0) + 1;
    this.#putOff.set(number, times);
    if (times === OFTEN) this.putOffOften++;
    return times >= OFTEN && Number.isInteger(Math.log10(times));
  }

  timesPutOff({ number }: Delivery): number {
    return this.#putOff.get(number) ?? 0;
  }

  /** False: this delivery had not failed. */
  end(number: number): boolean {
    if ((this.#putOff.get(number) ?? 0) >= OFTEN) this.putOffOften--;
    this.#putOff.delete(number);
    return this.#byNumber.delete(number);
  }
}
