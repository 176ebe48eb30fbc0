// The command `busbar dlq stats`: how many dead letters there are, by cause, reason, category and subscriber.
import type { LetterStats } from '../../shared/logging-task.js';
import type { Command } from '../command.js';
import { Exit } from '../exit.js';
import { existingFolder, withSession } from '../session.js';
import { table } from '../table.js';
import { columns, print, safeJson } from '../terminal.js';

const MOST_ROWS = 20;

export const dlqStats: Command = {
  words: 'dlq stats',
  says: 'Dead letters counted: by cause, reason, category and subscriber.',
  options: [],
  async run(args) {
    const stats = await withSession(existingFolder(args.folder), (session) => session.ask({ ask: 'letter-stats' }));
    if (args.has('json')) print(safeJson(stats));
    else printStats(stats);
    return Exit.DONE;
  },
};

function printStats(stats: LetterStats): void {
  print(`${stats.letters} letters, ${stats.bytes} bytes on disk`);
  if (stats.letters === 0) return;
  printCounts('cause', stats.bySignature);
  printCounts('reason', stats.byReason);
  printCounts('category', stats.byCategory);
  printCounts('subscriber', stats.bySubscriber);
}

function printCounts(name: string, counts: Readonly<Record<string, number>>): void {
  const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
  print();
  for (const line of table([name, 'letters'], rows.slice(0, MOST_ROWS), columns())) print(line);
  if (rows.length > MOST_ROWS) print(`… and ${rows.length - MOST_ROWS} more`);
}
