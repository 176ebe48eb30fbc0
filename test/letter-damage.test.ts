// A disk that fails for a moment costs no letter; damage that was read is kept beside the segment.
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ErrorLogger } from '../src/index.js';
import { Logging } from '../src/observe/logging.js';
import { closed, queueOn, REPORT, segmentsOf } from './letter-queues.js';
import { linesOf, temporaryFolder } from './test-bus.js';

/** A folder with three letters, and their ids. */
async function folderWithLetters(): Promise<{ folder: string; ids: string[]; segment: string }> {
  const folder = temporaryFolder();
  const queue = queueOn(folder);
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) ids.push(await queue.addMessage({ topic: 'a', payload: n }, REPORT));
  await closed(queue);
  return { folder, ids, segment: segmentsOf(folder)[0] ?? '' };
}

/** Root may read everything: runs `body` as a user who owns nothing but these paths. */
async function asAnybody(paths: readonly string[], body: () => Promise<void>): Promise<void> {
  const nobody = 65534;
  if (process.getuid?.() !== 0) return body();
  for (const path of paths) chownSync(path, nobody, nobody);
  process.seteuid?.(nobody);
  try {
    await body();
  } finally {
    process.seteuid?.(0);
  }
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe('the totals', () => {
  it('that may not be read at the start are no damage: the start says so, and they count on afterwards', async () => {
    const folder = temporaryFolder();
    const first = new ErrorLogger({ logDir: folder });
    first.logError(REPORT);
    await first.close();
    const file = join(folder, 'error_metrics.json');
    chmodSync(file, 0);
    const logger = new ErrorLogger({ logDir: folder });
    await asAnybody([folder, ...readdirSync(folder).map((name) => join(folder, name))], async () => {
      await expect(logger.getErrorStatistics()).rejects.toMatchObject({
        code: 'BUSBAR_LOG_FOLDER',
        message: expect.stringMatching(/EACCES/),
      });
    });
    chmodSync(file, 0o600);
    expect(await logger.getErrorStatistics()).toMatchObject({ totalErrors: 1 });
    await logger.close();
    expect(existsSync(`${file}.corrupt`)).toBe(false);
  });
});

describe('files that others may read', () => {
  it('are made private at the start, and those that cannot be are told; what is not ours is left alone', async () => {
    const { folder, segment } = await folderWithLetters();
    const shared = temporaryFolder();
    const log = join(shared, 'message_bus_errors.json');
    const foreign = join(shared, 'notes.txt');
    for (const path of [log, foreign]) writeFileSync(path, '');
    for (const [path, mode] of [
      [segment, 0o644],
      [folder, 0o755],
      [log, 0o666],
      [foreign, 0o644],
      [shared, 0o755],
    ] as const)
      chmodSync(path, mode);
    const queue = queueOn(folder);
    await queue.list();
    expect([segment, folder].map(modeOf)).toEqual(['600', '700']);
    const logger = new ErrorLogger({ logDir: shared });
    await asAnybody([shared], async () => {
      await logger.flush();
      const isOurs = process.getuid?.() !== 0;
      expect([log, foreign, shared].map(modeOf)).toEqual([isOurs ? '600' : '666', '644', '755']);
      const told = linesOf(log).map((line) => JSON.parse(line).message);
      expect(told).toEqual(isOurs ? [] : [expect.stringMatching(/^others have access to .*errors\.json \(EPERM/)]);
    });
    await logger.close();
  });
});

describe('a letter', () => {
  it('whose segment cannot be read is still a letter, and the query says why it has no answer', async () => {
    const { folder, ids, segment } = await folderWithLetters();
    const queue = queueOn(folder);
    expect(await queue.list()).toHaveLength(3);
    renameSync(segment, `${segment}.moving`);
    for (const query of [
      queue.show(ids[0] ?? ''),
      queue.getMessages(),
      queue.groups(),
      queue.edit(ids[1] ?? '', { key: null }),
    ])
      await expect(query).rejects.toMatchObject({
        code: 'BUSBAR_LOG_FOLDER',
        message: expect.stringMatching(/ENOENT/),
      });
    renameSync(`${segment}.moving`, segment);
    expect((await queue.getMessages()).map(({ message }) => message.payload)).toEqual([0, 1, 2]);
    await closed(queue);
    expect(await queueOn(folder).list()).toHaveLength(3);
  });

  it('whose segment may not be read at the start is still a letter, and the start says so', async () => {
    const { folder, ids, segment } = await folderWithLetters();
    chmodSync(segment, 0);
    await asAnybody([folder], async () => {
      await expect(queueOn(folder).list()).rejects.toMatchObject({
        code: 'BUSBAR_LOG_FOLDER',
        message: expect.stringMatching(/EACCES/),
      });
    });
    chmodSync(segment, 0o600);
    expect((await queueOn(folder).list()).map(({ error_id: id }) => id)).toEqual(ids);
  });

  it('whose line turns out damaged goes, once what is left of it lies in a file of its own', async () => {
    const { folder, ids, segment } = await folderWithLetters();
    const logging = Logging.of(folder, folder);
    const queue = queueOn(folder);
    await queue.list();
    const offset = readFileSync(segment).indexOf('"a"');
    const file = openSync(segment, 'r+');
    writeSync(file, '"b"', offset);
    closeSync(file);
    const [line] = linesOf(segment);
    expect(await queue.show(ids[0] ?? '')).toBeUndefined();
    expect((await queue.list()).map(({ error_id: id }) => id)).toEqual(ids.slice(1));
    expect(linesOf(`${segment}.corrupt`)).toEqual([line]);
    expect(logging.health()).toMatchObject({ corruptLines: 1, deadLetters: 2 });
    await logging.close();
  });
});
