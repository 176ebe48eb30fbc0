// Error reports as they come out of the ring, without the secrets of a program that handed them in.
import type { Redactor } from '../../src/shared/redact.js';
import { type ErrorReport, isRepeats } from '../../src/shared/report.js';
import { type ReadReport, readReports } from '../../src/shared/report-reader.js';
import { RingReader } from '../../src/shared/ring.js';
import { asBuffer } from '../../src/shared/views.js';

/** Belongs to the logging worker. */
export class ArrivingReports {
  readonly #ring: RingReader;
  readonly #redactor: Redactor;
  readonly #take: (report: ErrorReport) => void;
  readonly #onSenseless: (error: unknown) => void;

  /**
   * @param ring the report ring's memory
   * @param take may throw: what makes no sense is told, and must not stop what follows it, for the next worker would read it again
   */
  constructor(
    ring: SharedArrayBuffer,
    redactor: Redactor,
    take: (report: ErrorReport) => void,
    onSenseless: (error: unknown) => void,
  ) {
    this.#ring = new RingReader(ring);
    this.#redactor = redactor;
    this.#take = take;
    this.#onSenseless = onSenseless;
  }

  get hasNext(): boolean {
    return this.#ring.hasNext;
  }

  /** Takes `enough` reports, or a few more, or all there are. Returns how many. */
  take(enough: number): number {
    let taken = 0;
    while (taken < enough) {
      const record = this.#ring.read();
      if (record === undefined) break;
      taken += this.#takeRecord(record.bytes);
    }
    return taken;
  }

  /** What was taken is on the disk, or lost. */
  release(): void {
    this.#ring.release();
  }

  #takeRecord(bytes: Uint8Array): number {
    try {
      const reports = readReports(asBuffer(bytes));
      for (const report of reports) this.#takeReport(report);
      return reports.length;
    } catch (error) {
      this.#onSenseless(error);
      return 1;
    }
  }

  #takeReport({ report, isRedacted }: ReadReport): void {
    try {
      this.#take(isRedacted ? report : redacted(report, this.#redactor));
    } catch (error) {
      this.#onSenseless(error);
    }
  }
}

function redacted(report: ErrorReport, redactor: Redactor): ErrorReport {
  return {
    ...report,
    message: redactor.text(report.message),
    traceback: report.traceback === null ? null : redactor.text(report.traceback),
    context: redactor.value(report.context) as ErrorReport['context'],
  };
}

/** How many it stands for: it may tell of several that found no room, or repeat others. */
export function repeatsOf(report: ErrorReport): number {
  const { repeats } = report.context;
  return isRepeats(repeats) ? repeats : 1;
}
