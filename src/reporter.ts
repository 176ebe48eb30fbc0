// Counts failures and hands their reports to the error log; of a storm of the same ones, most are only counted.
import { nanoid } from 'nanoid';
import type { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Logging } from './observe/logging.js';
import type { Clock } from './shared/clock.js';
import type { Delivery } from './shared/delivery.js';
import type { ErrorCounters } from './shared/error-counters.js';
import type { Failure } from './shared/outcome.js';
import { type ErrorReport, ErrorSeverity } from './shared/report.js';

/** Belongs to one bus. Runs on the main thread. */
export class Reporter {
  readonly #notes: FailureNotes;
  readonly #counters: ErrorCounters;
  readonly #logging: Logging | null;
  readonly #clock: Clock;
  readonly #escalate: (report: ErrorReport) => void;

  /**
   * @param logging null: error handling is off, and nothing is written
   * @param escalate called with the report of a critical failure
   */
  constructor(
    notes: FailureNotes,
    counters: ErrorCounters,
    logging: Logging | null,
    clock: Clock,
    escalate: (report: ErrorReport) => void,
  ) {
    this.#notes = notes;
    this.#counters = counters;
    this.#logging = logging;
    this.#clock = clock;
    this.#escalate = escalate;
  }

  /** Counts the report, and writes it in full. */
  log(report: ErrorReport): void {
    this.#write(report, '');
  }

  /**
   * Counts a delivery's failure, and writes it unless it repeats others.
   *
   * @param verdict what became of the delivery, in words
   * @param isRetried it gets another attempt
   * @returns the id of the report
   */
  failed(
    subscription: LiveSubscription,
    delivery: Delivery,
    failure: Failure,
    verdict: string,
    isRetried = false,
  ): string {
    const logging = this.#logging;
    if (logging === null) return '';
    const key = failure.signature === '' ? '' : `${failure.signature} ${subscription.options.breakerName} ${verdict}`;
    const repeated = logging.repeated(key, this.#clock.now() / 1000);
    if (repeated !== undefined) {
      this.#counters.add(repeated);
      return nanoid();
    }
    const report = this.report(subscription, delivery, failure);
    report.context['verdict'] = verdict;
    markRecovery(report, isRetried);
    this.#write(report, key);
    return report.error_id;
  }

  /** As {@link failed}, for a {@link report} that somebody has seen. */
  conclude(report: ErrorReport, verdict: string, isRetried: boolean): string {
    markRecovery(report, isRetried);
    report.context['verdict'] = verdict;
    this.#write(report, '');
    return report.error_id;
  }

  /** Its handler has put the delivery off once more. Nothing limits that: so that it is seen, it is told now and then. */
  putOff(subscription: LiveSubscription, delivery: Delivery): void {
    if (subscription.trails.putOff(delivery))
      this.log(this.report(subscription, delivery, this.#notes.putOff(subscription, delivery)));
  }

  /** The report of a failed delivery, for those who have to see it before its verdict is known. */
  report(subscription: LiveSubscription, delivery: Delivery, failure: Failure): ErrorReport {
    return this.#notes.report(subscription, delivery, failure, nanoid());
  }

  #write(report: ErrorReport, key: string): void {
    this.#counters.add(report);
    if (this.#logging === null) return;
    this.#logging.report(report, true, key);
    if (report.severity === ErrorSeverity.CRITICAL) this.#escalate(report);
  }
}

/** One that is given up after it was tried again was tried in vain. */
function markRecovery(report: ErrorReport, isRetried: boolean): void {
  report.recovery_attempted ||= isRetried || report.retry_count > 0;
  report.recovery_successful = isRetried;
}
