// The command `busbar errors tail`: the last error reports, and those that come, until Ctrl-C.
import type { ErrorReport } from '../../shared/report.js';
import type { Command } from '../command.js';
import { choiceFrom, ERROR_FILTERS, forPrograms, showReport } from '../error-choice.js';
import { followReports } from '../error-files.js';
import { asCliError, CliError, Exit } from '../exit.js';
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
    const last = (): ErrorReport[] => chosen(folder, args, BY_DEFAULT).reverse();
    if (args.has('no-follow')) {
      for (const report of last()) show(report);
      return Exit.DONE;
    }
    args.number('limit', 0);
    const shown = new Set<string>();
    try {
      // Begun before the last ones are read: what is written in between is in both, and never in neither.
      const following = followReports(folder, (report) => {
        if (!shown.delete(report.error_id) && isChosen(report)) show(report);
      });
      for (const report of last()) {
        shown.add(report.error_id);
        show(report);
      }
      return await following;
    } catch (error) {
      throw new CliError(Exit.FAILED, `the log in ${folder} cannot be followed any more: ${asCliError(error).message}`);
    }
  },
};
