// The command `busbar dlq stats`: why there are dead letters: by cause, and how many by reason, category, subscriber and state.
import type { LetterGroup, LetterStats } from '../../shared/logging-task.js';
import { type Command, LETTER_FILTERS } from '../command.js';
import { Exit } from '../exit.js';
import { noteStream, withLetters } from '../letters.js';
import { type Fit, fittedTable, table } from '../table.js';
import { columns, print, safeJson } from '../terminal.js';
import { showTime } from '../when.js';
import { filterFrom, showSubscriber } from '../which.js';

const MOST_ROWS = 20;
/** A cause is typed again, as `--signature <cause>`. */
const FIT: Fit = { optional: ['category', 'newest', 'subscriber'], whole: ['cause', 'newest'] };

export const dlqStats: Command = {
  words: 'dlq stats',
  says: 'Dead letters by cause, the most frequent first, with what the newest of each said. Filters choose among the causes’ letters.',
  options: [...LETTER_FILTERS, 'app'],
  async run(args) {
    const filter = filterFrom(args);
    const { stats, groups } = await withLetters(args, async (session) => {
      const stats = await session.ask({ ask: 'letter-stats' });
      if (stats.letters === 0) noteStream(session);
      return { stats, groups: await session.ask({ ask: 'letter-groups', filter }) };
    });
    if (args.has('json')) print(safeJson({ ...stats, groups }));
    else printStats(stats, groups);
    return Exit.DONE;
  },
};

function printStats(stats: LetterStats, groups: readonly LetterGroup[]): void {
  print(`${stats.letters} letters in all, ${stats.bytes} bytes on disk`);
  if (stats.letters === 0) return;
  print();
  for (const line of causeLines(groups.slice(0, MOST_ROWS), columns())) print(line);
  if (groups.length > MOST_ROWS) print(`… and ${groups.length - MOST_ROWS} more`);
  printCounts('reason', stats.byReason);
  printCounts('category', stats.byCategory);
  printCounts('subscriber', stats.bySubscriber);
  printCounts('state', stats.byState);
}

/** One row for each cause. */
export function causeLines(groups: readonly LetterGroup[], most?: number): string[] {
  const rows = groups.map((group) => [
    group.signature,
    group.count,
    showTime(group.last),
    group.subscriber_ids.map(showSubscriber).join(' '),
    group.error_category,
    group.sample_error === null ? '' : `${group.sample_error.name}: ${group.sample_error.message}`,
  ]);
  return fittedTable(['cause', 'letters', 'newest', 'subscriber', 'category', 'error'], rows, FIT, most);
}

function printCounts(name: string, counts: Readonly<Record<string, number>>): void {
  const rows = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => [showSubscriber(what), count] as const);
  if (rows.length === 0) return;
  print();
  for (const line of table([name, 'letters'], rows.slice(0, MOST_ROWS), columns())) print(line);
  if (rows.length > MOST_ROWS) print(`… and ${rows.length - MOST_ROWS} more`);
}
