// The command `busbar errors stats`: errors counted, by a running bus or by what a stopped one left.
import type { Command } from '../command.js';
import { Exit } from '../exit.js';
import { LiveBus } from '../live-bus.js';
import { readMetrics } from '../metrics-file.js';
import { existingFolder } from '../session.js';
import { table } from '../table.js';
import { columns, print, safeJson } from '../terminal.js';
import { showTime } from '../when.js';

export const errorsStats: Command = {
  words: 'errors stats',
  says: 'Errors counted, by category and severity; of a running bus since its start, else as its metrics file says.',
  options: [],
  async run(args) {
    const folder = existingFolder(args.folder);
    const statistics = (await statisticsOfBus(folder)) ?? statisticsOfFile(folder);
    if (args.has('json')) print(safeJson(statistics));
    else printStatistics(statistics);
    return Exit.DONE;
  },
};

const NO_METRICS = 'the bus has stopped, and left no metrics that can be read';

interface Statistics {
  /** `since`: words for what the totals span. */
  readonly since: string;
  readonly total_errors: number;
  readonly errors_last_hour: number | null;
  readonly recovery_success_rate: number | null;
  readonly categories: Readonly<Record<string, number>>;
  readonly severities: Readonly<Record<string, number>>;
}

async function statisticsOfBus(folder: string): Promise<Statistics | undefined> {
  const bus = await LiveBus.connect(folder);
  if (bus === undefined) return undefined;
  const { health } = await bus.ask({ ask: 'health' });
  await bus.close();
  const errors = health.errorStatistics;
  return (
    (errors && {
      since: 'since the bus was started',
      total_errors: errors.totalErrors,
      errors_last_hour: errors.recentErrors1h,
      recovery_success_rate: errors.recoverySuccessRate,
      categories: errors.categories,
      severities: errors.severityDistribution,
    }) ??
    undefined
  );
}

function statisticsOfFile(folder: string): Statistics {
  const metrics = readMetrics(folder);
  const since = metrics === null ? NO_METRICS : `across restarts, until ${showTime(metrics.last_updated)}`;
  return {
    since,
    total_errors: metrics?.total_errors ?? 0,
    errors_last_hour: null,
    recovery_success_rate: null,
    categories: metrics?.error_counts_by_category ?? {},
    severities: metrics?.error_counts_by_severity ?? {},
  };
}

function printStatistics(statistics: Statistics): void {
  const { errors_last_hour: lastHour, recovery_success_rate: recovered } = statistics;
  print(statistics.since === NO_METRICS ? NO_METRICS : `${statistics.total_errors} errors ${statistics.since}`);
  if (lastHour !== null) print(`${lastHour} in the last hour, ${(lastHour / 60).toFixed(2)} a minute`);
  if (recovered !== null) print(`${(recovered * 100).toFixed(1)} % of the recoveries that were tried succeeded`);
  for (const [name, counts] of [
    ['category', statistics.categories],
    ['severity', statistics.severities],
  ] as const) {
    const rows = Object.entries(counts).filter(([, count]) => count > 0);
    if (rows.length === 0) continue;
    print();
    for (const line of table(
      [name, 'errors'],
      rows.sort(([, a], [, b]) => b - a),
      columns(),
    ))
      print(line);
  }
}
