// The command `busbar health`: how a running bus is, in words and reasons; of a stopped one, what its files know.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Arguments, Command } from '../command.js';
import { Exit } from '../exit.js';
import { statusLines, subscriptionLines, totalLines } from '../health-view.js';
import { countLetters } from '../letter-files.js';
import { noteStream } from '../letters.js';
import { LiveBus } from '../live-bus.js';
import { readMetrics } from '../metrics-file.js';
import { existingFolder } from '../session.js';
import { columns, paint, print, safe, safeJson } from '../terminal.js';
import { showTime } from '../when.js';

export const health: Command = {
  words: 'health',
  says: 'How the bus is, and why. Exit code 0: healthy; 1: degraded, critical, or not running.',
  options: [],
  async run(args) {
    const folder = existingFolder(args.folder);
    const bus = await LiveBus.connect(folder);
    if (bus === undefined) {
      await tellStopped(folder, args);
      return Exit.BAD_NEWS;
    }
    const { pid, health: status } = await bus.ask({ ask: 'health' });
    await bus.close();
    if (args.has('json')) print(safeJson({ pid, ...status }));
    else {
      for (const line of statusLines(pid, status)) print(line);
      print();
      for (const line of subscriptionLines(status, columns())) print(line);
      print();
      for (const line of totalLines(status)) print(line);
    }
    return status.status === 'healthy' ? Exit.DONE : Exit.BAD_NEWS;
  },
};

async function tellStopped(folder: string, args: Arguments): Promise<void> {
  const metrics = readMetrics(folder);
  const letters = await countLetters(folder);
  const damaged = readdirSync(join(folder, 'dead_letter')).filter((name) => name.endsWith('.corrupt'));
  if (args.has('json')) {
    print(safeJson({ running: false, deadLetters: letters, damagedFiles: damaged.length, metrics }));
    return;
  }
  print(`${paint('red', 'not running')}  no bus answers in ${safe(folder)}`);
  if (!LiveBus.hasSocket(folder)) print('this path is too long for a socket: a bus that runs here cannot be asked');
  if (letters === null) print(`dead letters: too many to be counted here, see ${args.next('dlq stats')}`);
  else
    print(`${letters} dead letter${letters === 1 ? '' : 's'}${letters === 0 ? '' : `: see ${args.next('dlq stats')}`}`);
  if (letters === 0) noteStream({ isLive: false });
  if (damaged.length > 0) print(`damaged lines were set aside: ${safe(damaged.join(' '))} in dead_letter`);
  if (metrics === null) {
    print('there are no metrics that can be read: no error was logged here, or their file is damaged');
    return;
  }
  print(`${metrics.total_errors} errors in all, the newest ${showTime(metrics.last_updated)}`);
  const counts = Object.entries(metrics.error_counts_by_category).filter(([, count]) => count > 0);
  for (const [category, count] of counts) print(`  ${safe(category)} ${count}`);
}
