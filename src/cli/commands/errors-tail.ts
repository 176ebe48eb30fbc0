// The command `busbar errors tail`: the last error reports, and those that come, until Ctrl-C.
import type { ErrorReport } from '../../shared/report.js';
import type { Command } from '../command.js';
import { choiceFrom, ERROR_FILTERS, forPrograms, showReport } from '../error-choice.js';
import { followReports } from '../error-files.js';
import { Exit } from '../exit.js';
import { existingFolder } from '../session.js';
import { print, safeJson } from '../terminal.js';
import { chosen } from './errors-list.js';

const BY_DEFAULT = 10;

export const errorsTail: Command = {
  words: 'errors tail',
  says: `The last ${BY_DEFAULT} error reports (or --limit), and those that come, until Ctrl-C. With --json, one a line.`,
  options: [...ERROR_FILTERS, 'payload', 'no-follow'],
  async run(args) {
    const folder = existingFolder(args.folder);
    const isChosen = choiceFrom(args);
    const show = (report: ErrorReport): void => {
      if (args.has('json')) print(safeJson(forPrograms(report, args)));
      else for (const line of showReport(report, args)) print(line);
    };
    for (const report of chosen(folder, args, BY_DEFAULT).reverse()) show(report);
    if (!args.has('no-follow')) followReports(folder, (report) => isChosen(report) && show(report));
    return Exit.DONE;
  },
};
