// Keeps a storm of the same failures off the way to the log: the first ones go in full, the others are counted.
import { nanoid } from 'nanoid';
import type { ErrorReport } from '../shared/report.js';

/** Reports of one key that go in full, each time it has been quiet. */
const IN_FULL = 10;
/** A key that was not heard of for so long begins anew, in seconds. */
const QUIET_S = 60;
const MOST_KEYS = 1000;
/** Where there are as many, those that are quiet are looked for no more often, in seconds: each look is at all of them. */
const LOOK_AGAIN_S = 1;

interface Group {
  /** Reports that went in full. */
  inFull: number;
  /** The last of them; its timestamp is that of the last failure. */
  report: ErrorReport;
  /** Failures since they were told. */
  count: number;
}

/** Belongs to one log. Decides and counts; has no effects. Times in seconds since 1970. */
export class Repeats {
  readonly #groups = new Map<string, Group>();
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** The report that this failure repeats, stamped anew; undefined when it has to be reported in full. */
  count(key: string, now: number): ErrorReport | undefined {
    const group = this.#groups.get(key);
    if (group === undefined || group.inFull < IN_FULL || isLong(now, group)) return undefined;
    group.count++;
    group.report.timestamp = now;
    return group.report;
  }

  /** A report of this key goes in full. */
  add(key: string, report: ErrorReport): void {
    const group = this.#groups.get(key);
    if (group !== undefined && !isLong(report.timestamp, group)) {
      group.inFull++;
      group.report = { ...report };
      return;
    }
    if (group === undefined && this.#groups.size >= MOST_KEYS) this.#forgetQuiet(report.timestamp);
    if (this.#groups.size >= MOST_KEYS) return;
    this.#groups.set(key, { inFull: 1, report: { ...report }, count: group?.count ?? 0 });
  }

  /** One report for each key with failures that were not told yet: `context.repeats` says how many. */
  take(): ErrorReport[] {
    const reports: ErrorReport[] = [];
    for (const group of this.#groups.values()) {
      if (group.count === 0) continue;
      const { report, count } = group;
      reports.push({ ...report, error_id: nanoid(), context: { ...report.context, repeats: count } });
      group.count = 0;
    }
    return reports;
  }

  #forgetQuiet(now: number): void {
    if (Math.abs(now - this.#lookedAt) < LOOK_AGAIN_S) return;
    this.#lookedAt = now;
    for (const [key, group] of this.#groups) if (group.count === 0 && isLong(now, group)) this.#groups.delete(key);
  }
}

/** Also when the clock was set back. */
function isLong(now: number, { report }: Group): boolean {
  return Math.abs(now - report.timestamp) > QUIET_S;
}
