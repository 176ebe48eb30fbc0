// Counts error reports: by category, by severity, by minute. Times in seconds since 1970.
import type { ErrorStatistics } from './logging-task.js';
import { Minutes } from './minutes.js';
import { ErrorCategory, type ErrorReport, ErrorSeverity } from './report.js';

const HOUR = 60;

/** Runs on any thread. */
export class ErrorCounters {
  total = 0;
  recoveriesTried = 0;
  recoveriesDone = 0;
  readonly categories = zeros(Object.values(ErrorCategory));
  readonly severities = zeros(Object.values(ErrorSeverity));
  readonly minutes = new Minutes();

  add(report: ErrorReport, count = 1, now = report.timestamp): void {
    this.total += count;
    this.categories[report.category] += count;
    this.severities[report.severity] += count;
    if (report.recovery_attempted) this.recoveriesTried += count;
    if (report.recovery_attempted && report.recovery_successful) this.recoveriesDone += count;
    this.minutes.add(count, now);
  }

  summary(now: number): ErrorStatistics {
    const lastHour = this.minutes.sum(HOUR, now);
    return {
      totalErrors: this.total,
      recentErrors1h: lastHour,
      errorRate1h: lastHour / HOUR,
      recoverySuccessRate: this.recoveriesTried === 0 ? 1 : this.recoveriesDone / this.recoveriesTried,
      categories: { ...this.categories },
      severityDistribution: { ...this.severities },
    };
  }
}

function zeros<K extends string>(names: readonly K[]): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>;
}
