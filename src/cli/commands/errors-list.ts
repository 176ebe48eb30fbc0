// The command `busbar errors list`: what the error log says, the newest first.
import type { ErrorReport } from '../../shared/report.js';
import type { Arguments, Command } from '../command.js';
import { choiceFrom, ERROR_FILTERS, forPrograms, showReport, sinceFrom, whereOf } from '../error-choice.js';
import { newestReports } from '../error-files.js';
import { Exit } from '../exit.js';
import { existingFolder } from '../session.js';
import { note, print, safeJson } from '../terminal.js';

const BY_DEFAULT = 20;
/** A longer name stands out rather than push all texts to the right. */
const WIDEST = 40;

export const errorsList: Command = {
  words: 'errors list',
  says: `Error reports, the newest first; ${BY_DEFAULT} unless --limit says otherwise.`,
  options: [...ERROR_FILTERS, 'payload'],
  async run(args) {
    let damaged = 0;
    const onDamaged = (): void => {
      damaged++;
    };
    const reports = chosen(existingFolder(args.folder), args, BY_DEFAULT, onDamaged);
    if (args.has('json')) print(safeJson(reports.map((report) => forPrograms(report, args))));
    else printReports(reports, args);
    if (reports.length === 0 && !args.has('json')) print('no errors');
    if (damaged > 0 && !args.has('json'))
      note(`passed over, for it is damaged: ${damaged} line${damaged === 1 ? '' : 's'} of the log`);
    return Exit.DONE;
  },
};

function printReports(reports: readonly ErrorReport[], args: Arguments): void {
  const width = Math.min(WIDEST, Math.max(0, ...reports.map((report) => whereOf(report).length)));
  for (const report of reports) for (const line of showReport(report, args, width)) print(line);
}

/** Reports are written as soon as their verdict is known, so nearly in the order of their times: within so many seconds. */
const MOST_DISORDER_S = 60;

/** The newest first. */
export function chosen(folder: string, args: Arguments, byDefault: number, onDamaged?: () => void): ErrorReport[] {
  const isChosen = choiceFrom(args);
  const since = sinceFrom(args);
  const limit = args.number('limit', 0) ?? byDefault;
  const reports: ErrorReport[] = [];
  if (limit === 0) return reports;
  let oldest = Number.POSITIVE_INFINITY;
  let enoughSince = Number.NEGATIVE_INFINITY;
  for (const report of newestReports(folder, onDamaged)) {
    // Lines stand in the order of their writing, which is nearly that of their times.
    if (report.timestamp < Math.max(since - MOST_DELAY_S, enoughSince - MOST_DISORDER_S)) break;
    if (!isChosen(report)) continue;
    reports.push(report);
    oldest = Math.min(oldest, report.timestamp);
    if (reports.length === limit) enoughSince = oldest;
  }
  return reports.sort((one, other) => other.timestamp - one.timestamp).slice(0, limit);
}

/** Reports that could not be written at once are written later, with their own time. */
const MOST_DELAY_S = 3600;
