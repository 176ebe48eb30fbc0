// Keeps a storm of identical failures from filling the log: the first ones in full, then one line for many.
import { type ErrorReport, isRepeats } from '../../src/shared/report.js';

/** Reports of one signature written in full before the rest is rolled up. */
const IN_FULL = 10;
/** One rolled-up line for each signature at most this often, in seconds. */
const LINE_EVERY_S = 10;
const MOST_SIGNATURES = 1000;

interface Group {
  seen: number;
  windowStart: number;
  /** When the last one was. */
  heardOf: number;
  /** Reports since the last line. */
  count: number;
  first: number;
  /** The last of them; undefined: none. Others are not kept, for each takes a kilobyte and more. */
  last: ErrorReport | undefined;
}

/** Belongs to the logging worker. What passes is told in seconds of a clock that nobody sets; lines carry wall-clock times. */
export class Rollup {
  readonly #groups = new Map<string, Group>();

  /** True: write this report in full. False: it is counted, for as many as it stands for, and a line will tell. */
  admits(report: ErrorReport, now: number): boolean {
    const { signature } = report.context;
    if (typeof signature !== 'string' || signature === '') return true;
    let group = this.#groups.get(signature);
    if (group === undefined || now - group.heardOf > LINE_EVERY_S * 6) {
      if (this.#groups.size >= MOST_SIGNATURES) this.#forgetQuiet();
      group = { seen: 0, windowStart: now, heardOf: now, count: 0, first: 0, last: undefined };
      this.#groups.set(ownText(signature), group);
    }
    group.heardOf = now;
    const { repeats } = report.context;
    const isCounted = isRepeats(repeats);
    if (!isCounted && ++group.seen <= IN_FULL) return true;
    if (group.count === 0) group.first = report.timestamp;
    group.count += isCounted ? repeats : 1;
    group.last = report;
    return false;
  }

  /** The lines that are due, or all. */
  take(now: number, all: boolean): ErrorReport[] {
    const lines: ErrorReport[] = [];
    for (const group of this.#groups.values()) {
      const { last, count, first } = group;
      if (last === undefined || count === 0 || (!all && now - group.windowStart < LINE_EVERY_S)) continue;
      const { repeats: _told, ...context } = last.context;
      const rollup = { count, first, last: last.timestamp };
      lines.push({
        ...last,
        traceback: null,
        message: `${last.message} (${count} more like this)`,
        context: { ...context, rollup },
      });
      group.count = 0;
      group.last = undefined;
      group.windowStart = now;
    }
    return lines;
  }

  #forgetQuiet(): void {
    for (const [signature, { count }] of this.#groups) if (count === 0) this.#groups.delete(signature);
  }
}

/** A copy: a part of a report's text would keep all of it in memory. */
function ownText(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
