// A report as it comes out of the ring: decoded, and without the secrets of a program that handed it in.
import { LogRecord } from '../../src/shared/logging-task.js';
import type { Redactor } from '../../src/shared/redact.js';
import type { ErrorReport } from '../../src/shared/report.js';
import { decodeReport } from '../../src/shared/report-record.js';
import type { RingRecord } from '../../src/shared/ring.js';

export function arrivingReport({ kind, bytes }: RingRecord, redactor: Redactor): ErrorReport {
  const report = decodeReport(bytes);
  if (kind !== LogRecord.RAW_REPORT) return report;
  return {
    ...report,
    message: redactor.text(report.message),
    traceback: report.traceback === null ? null : redactor.text(report.traceback),
    context: redactor.value(report.context) as ErrorReport['context'],
  };
}

/** How many it stands for: it may tell of several that found no room, or repeat others. */
export function repeatsOf(report: ErrorReport): number {
  const { repeats } = report.context as { repeats?: unknown };
  return typeof repeats === 'number' && repeats > 0 ? repeats : 1;
}
