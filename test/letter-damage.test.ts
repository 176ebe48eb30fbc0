// A disk that fails for a moment costs no letter; damage that was read is kept beside the segment.
import { chmodSync, chownSync, closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
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

describe('a letter', () => {
  it('whose segment cannot be read is still a letter, and the query says why it has no answer', async () => {
    const { folder, ids, segment } = await folderWithLetters();
    const queue = queueOn(folder);
    expect(await queue.list()).toHaveLength(3);
    renameSync(segment, `${segment}.moving`);
    for (const query of [queue.show(ids[0] ?? ''), queue.getMessages(), queue.groups(), queue.edit(ids[1] ?? '', {})])
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
    const nobody = 65534;
    const isRoot = process.getuid?.() === 0;
    chmodSync(segment, 0);
    if (isRoot) {
      chownSync(folder, nobody, nobody);
      process.seteuid?.(nobody);
    }
    try {
      await expect(queueOn(folder).list()).rejects.toMatchObject({
        code: 'BUSBAR_LOG_FOLDER',
        message: expect.stringMatching(/EACCES/),
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(segment, 0o600);
    }
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
