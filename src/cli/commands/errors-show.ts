// The command `busbar errors show`: one error report in full, with all that is known of where it happened.
import type { ErrorReport } from '../../shared/report.js';
import type { Arguments, Command } from '../command.js';
import { forPrograms } from '../error-choice.js';
import { newestReports } from '../error-files.js';
import { printError } from '../error-text.js';
import { CliError, Exit } from '../exit.js';
import { existingFolder } from '../session.js';
import { paint, print, safe, safeJson } from '../terminal.js';
import { showTime } from '../when.js';

export const errorsShow: Command = {
  words: 'errors show',
  operands: '<id>',
  says: 'One error report: where it happened, what was done about it, its stack, and its context.',
  options: ['payload'],
  async run(args) {
    const [id, ...others] = args.operands;
    if (id === undefined || others.length > 0) {
      throw new CliError(Exit.USAGE, 'errors show takes one id: see `errors list`');
    }
    const report = find(existingFolder(args.folder), id);
    if (report === undefined) throw new CliError(Exit.BAD_NEWS, `there is no report ${JSON.stringify(id)}`);
    if (args.has('json')) print(safeJson(forPrograms(report, args)));
    else printReport(report, args);
    return Exit.DONE;
  },
};

function find(folder: string, id: string): ErrorReport | undefined {
  for (const report of newestReports(folder)) if (report.error_id === id) return report;
  return undefined;
}

function printReport(report: ErrorReport, args: Arguments): void {
  const { error_id: id, timestamp, category, severity, component, retry_count: retries } = report;
  const fields: [string, string][] = [
    ['report', id],
    ['logged', `${showTime(timestamp)}, ${severity}, ${category}`],
    ['component', component],
    ['recovery', `${recoveryOf(report)}; ${retries ?? 0} failed attempts before`],
  ];
  for (const [name, text] of fields) print(`${paint('dim', name.padEnd(11))} ${safe(text)}`);
  print();
  const { exception_type: name, message, traceback: stack } = report;
  printError({ name, message, ...(typeof stack === 'string' ? { stack } : {}) });
  print();
  print(paint('dim', 'context'));
  for (const [key, value] of Object.entries(forPrograms(report, args).context)) {
    print(`  ${safe(`${key}:`)} ${typeof value === 'string' ? safe(value) : safeJson(value)}`);
  }
}

function recoveryOf({ recovery_attempted: attempted, recovery_successful: successful }: ErrorReport): string {
  if (!attempted) return 'none was tried';
  return successful ? 'tried, and it goes on' : 'tried in vain';
}
