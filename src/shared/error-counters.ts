// Counts error reports: by category, by severity, by minute. Times in seconds since 1970.
import type { ErrorStatistics } from './logging-task.js';
import { ErrorCategory, type ErrorReport, ErrorSeverity } from './report.js';

const MINUTES = 60;

/** Runs on any thread. */
export class ErrorCounters {
  total = 0;
  recoveriesTried = 0;
  recoveriesDone = 0;
  readonly categories = zeros(Object.values(ErrorCategory));
  readonly severities = zeros(Object.values(ErrorSeverity));
  /** Errors in each of the last 60 minutes, by minute of time. */
  readonly #minutes = new Map<number, number>();

  add(report: ErrorReport, count = 1): void {
    this.total += count;
    this.categories[report.category] += count;
    this.severities[report.severity] += count;
    if (report.recovery_attempted) this.recoveriesTried += count;
    if (report.recovery_attempted && report.recovery_successful) this.recoveriesDone += count;
    const minute = Math.floor(report.timestamp / 60);
    const known = this.#minutes.get(minute);
    this.#minutes.set(minute, (known ?? 0) + count);
    if (known === undefined) this.#forget(minute);
  }

  summary(now: number): ErrorStatistics {
    const oldest = Math.floor(now / 60) - MINUTES;
    let lastHour = 0;
    for (const [minute, count] of this.#minutes) if (minute > oldest) lastHour += count;
    return {
      totalErrors: this.total,
      recentErrors1h: lastHour,
      errorRate1h: lastHour / MINUTES,
      recoverySuccessRate: this.recoveriesTried === 0 ? 1 : this.recoveriesDone / this.recoveriesTried,
      categories: { ...this.categories },
      severityDistribution: { ...this.severities },
    };
  }

  #forget(minute: number): void {
    for (const old of this.#minutes.keys()) if (old <= minute - MINUTES) this.#minutes.delete(old);
  }
}

function zeros<K extends string>(names: readonly K[]): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>;
}
