// What is taken out of the queue leaves the disk, too.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Logging } from '../src/observe/logging.js';
import { closed, queueOn, REPORT, segmentsOf } from './letter-queues.js';
import { temporaryFolder } from './test-bus.js';

function textOf(folder: string): string {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => readFileSync(join(folder, name), 'latin1'))
    .join('');
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 4000;
  while (!holds() && performance.now() < deadline) await new Promise((resume) => setTimeout(resume, 5));
}

describe('the payload of a letter', () => {
  it('leaves the disk soon after it was purged, edited or replaced, and the others stay', async () => {
    const folder = temporaryFolder();
    const queue = queueOn(folder);
    const ids: string[] = [];
    for (let n = 0; n < 6; n++) ids.push(await queue.addMessage({ topic: 'a', payload: `secret-${n}` }, REPORT));
    await queue.purge([ids[1] as string, ids[4] as string]);
    await queue.edit(ids[2] as string, { payload: 'plain-2' });
    await until(() => !/secret-[124]/.test(textOf(folder)));
    expect(textOf(folder).match(/(secret|plain)-\d/g)).toEqual(['secret-0', 'secret-3', 'secret-5', 'plain-2']);
    await closed(queue);

    const logging = Logging.of(folder, folder);
    const again = queueOn(folder);
    const payloads = (await again.getMessages()).map(({ message }) => message.payload);
    expect(payloads.toSorted()).toEqual(['plain-2', 'secret-0', 'secret-3', 'secret-5']);
    expect(logging.health()).toMatchObject({ corruptLines: 0, tornTails: 0 });
    await again.purge({ all: true });
    await until(() => segmentsOf(folder).length === 0);
    expect(segmentsOf(folder)).toEqual([]);
    await logging.close();
  });

  it('that a crash left on the disk after its purge leaves it with the next start', async () => {
    const folder = temporaryFolder();
    const queue = queueOn(folder);
    const ids = [];
    for (let n = 0; n < 3; n++) ids.push(await queue.addMessage({ topic: 'a', payload: `secret-${n}` }, REPORT));
    const [segment = ''] = segmentsOf(folder);
    const before = readFileSync(segment);
    await queue.purge([ids[0] as string]);
    await closed(queue);
    // As if the process had ended just after it promised.
    const after = readFileSync(segment);
    writeFileSync(segment, Buffer.concat([before, after.subarray(before.length)]));
    expect(textOf(folder)).toContain('secret-0');
    const again = queueOn(folder);
    expect(await again.list()).toHaveLength(2);
    await closed(again);
    expect(textOf(folder).match(/secret-\d/g)).toEqual(['secret-1', 'secret-2']);
  });

  it('leaves the disk with `clear`, also where damage was set aside', async () => {
    const folder = temporaryFolder();
    const first = queueOn(folder);
    for (let n = 0; n < 3; n++) await first.addMessage({ topic: 'a', payload: `secret-${n}` }, REPORT);
    await closed(first);
    const [segment = ''] = segmentsOf(folder);
    writeFileSync(segment, readFileSync(segment, 'utf8').replace('"payload":"secret-1', '"payload":"xecret-1'));
    writeFileSync(join(folder, 'dlq_of_mine.corrupt'), 'not ours');
    const queue = queueOn(folder);
    expect(await queue.list()).toHaveLength(2);
    expect(textOf(folder)).toContain('xecret-1');
    expect(await queue.clear()).toBe(2);
    expect(textOf(folder)).not.toContain('ecret');
    expect(readdirSync(folder)).toContain('dlq_of_mine.corrupt');
  });
});
