// Dead letters: on the disk once accepted, equal when they come back, found, edited, archived and removed.
import { readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  DeadLetterQueue,
  type DeadLetterQueueOptions,
  ErrorLogger,
  type ErrorReport,
  type LetterFilter,
} from '../src/index.js';
import { closed, queueOn, REPORT, segmentsOf, shareQueue } from './letter-queues.js';
import { linesOf, temporaryFolder } from './test-bus.js';

const shared = shareQueue();

describe('a dead letter', () => {
  it('is on the disk once it was accepted, as one readable line', async () => {
    const { folder, queue } = shared;
    const id = await queue.addMessage(
      { topic: 'a.b', payload: { n: 1 }, key: 'k', headers: { h: 'v' }, id: 'm' },
      REPORT,
    );
    const [segment = ''] = segmentsOf(folder);
    const [line = ''] = linesOf(segment);
    expect(JSON.parse(line)).toMatchObject({
      format: 1,
      error_id: id,
      reason: 'manual',
      error_category: 'timeout_error',
      retry_count: 2,
      signature: 'v1:s',
      topic: 'a.b',
      subscriber_id: 'sub',
      message: { id: 'm', topic: 'a.b', payload: { n: 1 }, key: 'k', priority: 'normal', headers: { h: 'v' } },
    });
    expect([statSync(segment).mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  it('says nothing secret of its error, neither what busbar knows nor what its queue or another user of the log names', async () => {
    const folder = temporaryFolder();
    const queue = queueOn(join(folder, 'dead_letter'), { redact: { patterns: ['card-[0-9]+'] } });
    const logger = new ErrorLogger({ logDir: folder, redact: { patterns: ['badge-[0-9]+'] } });
    const message = 'no postgres://app:hunter2@db/x with password=hunter3, card-17, badge-18';
    const id = await queue.addMessage({ topic: 'a', payload: 'card-17' }, { ...REPORT, message });
    const letter = await queue.show(id);
    expect(letter?.message.payload).toBe('card-17');
    expect(letter?.error.message).toMatch(/^no postgres:.* with password=.*redacted/);
    expect(letter?.error.message).not.toMatch(/hunter|17|18/);
    await logger.close();
    expect(() => queueOn(folder, { redact: { patterns: ['('] } })).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }),
    );
  });

  it('is in one queue by whatever name of its folder, and two that would share a log are refused at once', async () => {
    const folder = temporaryFolder();
    const link = join(temporaryFolder(), 'link');
    symlinkSync(folder, link);
    const queue = queueOn(join(folder, 'dead_letter'));
    await queue.addMessage({ topic: 'a', payload: 1 }, REPORT);
    expect(await queueOn(join(link, 'dead_letter')).list()).toHaveLength(1);
    expect(() => queueOn(folder)).toThrow(
      expect.objectContaining({
        code: 'BUSBAR_INVALID_OPTION',
        message: expect.stringMatching(
          /^storageDir must be another folder, for this process keeps letters in .*dead_letter: /,
        ),
      }),
    );
  });

  it('brings every kind of payload back, also after a restart', async () => {
    const payloads = {
      'plain data': { a: [1, 'x', null, { deep: true }] },
      bytes: Buffer.from([0, 255, 10, 13]),
      'a typed array': new Float32Array([1.5, 2]),
      'everything else': new Map<unknown, unknown>([[1n, new Set([new Date(1), undefined, -0])]]),
      nothing: undefined,
      'a text with line breaks': 'a\nb\r\n\u2028',
      'an own key named __proto__': JSON.parse('{"__proto__":{"x":1}}'),
    };
    const folder = temporaryFolder();
    const first = queueOn(folder);
    for (const [topic, payload] of Object.entries(payloads)) await first.addMessage({ topic, payload }, REPORT);
    await closed(first);
    const letters = await queueOn(folder).getMessages();
    for (const { topic, message } of letters) {
      expect([topic, inspect(message.payload)]).toEqual([topic, inspect(payloads[topic as keyof typeof payloads])]);
    }
    expect(letters).toHaveLength(Object.keys(payloads).length);
  });

  it('brings a cycle back, and what could be kept of the uncloneable', async () => {
    const { queue } = shared;
    const cycle: Record<string, unknown> = { n: 1 };
    cycle['self'] = cycle;
    await queue.addMessage({ topic: 'a', payload: cycle }, REPORT);
    const { context: _context, retry_count: _count, ...spare } = REPORT;
    await queue.addMessage({ topic: 'a', payload: { ok: 1, fn: () => 1 } }, spare);
    const [one, two] = await queue.getMessages();
    expect(two).toMatchObject({ pattern: 'a', started: 1, failed: 1 });
    const payload = one?.message.payload as typeof cycle | undefined;
    expect(payload?.['self']).toBe(payload);
    expect(two?.message.payload).toEqual({ ok: 1 });
  });

  it('of 10 MB is kept, too', async () => {
    const { queue } = shared;
    await queue.addMessage({ topic: 'a', payload: Buffer.alloc(10e6, 7) }, REPORT);
    const [letter] = await queue.getMessages();
    expect(Buffer.alloc(10e6, 7).equals(letter?.message.payload as Buffer)).toBe(true);
  });

  it('changes no path and no line, whatever its names are', async () => {
    const { parent, folder, queue } = shared;
    const nasty = '../../x\n{"error_id":"forged"}\n';
    const report = { ...REPORT, context: { subscriber_id: nasty, pattern: nasty, signature: nasty } };
    await queue.addMessage(
      { topic: nasty, payload: nasty, id: nasty, key: nasty, headers: { [nasty]: nasty } },
      report,
    );
    expect(readdirSync(parent)).toEqual(['q']);
    expect(linesOf(segmentsOf(folder)[0] ?? '')).toHaveLength(1);
    expect(await queue.getMessages()).toMatchObject([{ topic: nasty, subscriber_id: nasty, message: { id: nasty } }]);
  });
});

describe('the queue', () => {
  it('lists by filter, archives, purges, counts, and clears memory and disk', async () => {
    const folder = temporaryFolder();
    const queue = queueOn(folder);
    const ids = await Promise.all(
      ['a.b', 'a.c', 'b', 'b'].map((topic) => queue.addMessage({ topic, payload: topic }, REPORT)),
    );
    expect((await queue.list({ topic: 'a.>' })).map(({ topic }) => topic)).toEqual(['a.b', 'a.c']);
    expect(await queue.list({ topic: 'b', limit: 1 })).toHaveLength(1);
    expect(await queue.list({ category: 'connection_error' })).toEqual([]);
    expect(await queue.archive([ids[0] as string])).toBe(1);
    expect((await queue.list({ state: 'archived' })).map(({ error_id: id }) => id)).toEqual([ids[0]]);
    expect(await queue.purge({ topic: 'b' })).toBe(2);
    expect(await queue.stats()).toMatchObject({ letters: 2, byReason: { manual: 2 }, bySubscriber: { sub: 2 } });
    await closed(queue);
    const again = queueOn(folder);
    expect((await again.list()).map(({ topic, state }) => [topic, state])).toEqual([
      ['a.b', 'archived'],
      ['a.c', 'dead'],
    ]);
    expect(await again.clear()).toBe(2);
    expect(segmentsOf(folder)).toEqual([]);
    await closed(again);
    expect(await queueOn(folder).getMessages()).toEqual([]);
  });

  it('refuses a filter that it does not know, rather than purge more than was meant', async () => {
    const { queue } = shared;
    await queue.addMessage({ topic: 'a', payload: 1 }, REPORT);
    for (const filter of [{ signatur: 'x' }, { state: 'gone' }, { category: 5 }, { limit: 0 }, null, { since: '1' }]) {
      await expect(queue.purge(filter as LetterFilter)).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
    }
    await expect(queue.purge([5] as unknown as string[])).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
    expect(await queue.list()).toHaveLength(1);
  });

  it('finds by pattern and time, and groups by cause', async () => {
    const { queue } = shared;
    const cause = (signature: string, message: string): ErrorReport => ({
      ...REPORT,
      message,
      context: { ...REPORT.context, signature },
    });
    await queue.addMessage({ topic: 'a.b.c', payload: 1 }, cause('v1:one', 'first'));
    await queue.addMessage({ topic: 'a.x.c', payload: 2 }, cause('v1:two', 'second'));
    await queue.addMessage({ topic: 'a.b', payload: 3 }, cause('v1:two', 'third'));
    const topics = async (filter: LetterFilter): Promise<string[]> =>
      (await queue.list(filter)).map(({ topic }) => topic);
    expect(await topics({ topic: 'a.*.c' })).toEqual(['a.b.c', 'a.x.c']);
    expect(await topics({ topic: 'a.>' })).toEqual(['a.b.c', 'a.x.c', 'a.b']);
    expect(await topics({ topic: 'a.b.>' })).toEqual(['a.b.c']);
    const [, second] = await queue.list();
    expect(await topics({ since: second?.timestamp ?? 0, until: (second?.timestamp ?? 0) + 1e-3 })).toContain('a.x.c');
    expect(await topics({ until: 1 })).toEqual([]);
    expect(await queue.groups()).toMatchObject([
      { signature: 'v1:two', count: 2, topics: ['a.x.c', 'a.b'], sample_error: { message: 'third' } },
      { signature: 'v1:one', count: 1, topics: ['a.b.c'], subscriber_ids: ['sub'] },
    ]);
  });

  it('edits a letter in its place, also after a restart', async () => {
    const folder = temporaryFolder();
    const first = queueOn(folder);
    const id = await first.addMessage({ topic: 'a', payload: { n: 'wrong' }, key: 'k', headers: { h: '1' } }, REPORT);
    await first.addMessage({ topic: 'b', payload: 2 }, REPORT);
    const edited = await first.edit(id, { payload: new Map([['n', 1n]]), priority: 'high', headers: null });
    expect(edited).toMatchObject({ error_id: id, edits: 1, priority: 'high', headers: null, message: { key: 'k' } });
    expect(await first.edit('nobody', { payload: 1 })).toBeUndefined();
    await expect(first.edit(id, { priority: 'urgent' as 'high' })).rejects.toMatchObject({
      code: 'BUSBAR_INVALID_OPTION',
    });
    await closed(first);
    const [again, other] = await queueOn(folder).getMessages();
    expect(again).toMatchObject({
      error_id: id,
      edits: 1,
      state: 'dead',
      message: { priority: 'high', headers: null },
    });
    expect(again?.message.payload).toEqual(new Map([['n', 1n]]));
    expect(other?.topic).toBe('b');
  });

  it('keeps so many letters, and the oldest go first', async () => {
    const queue = queueOn(temporaryFolder(), { maxLetters: 3 });
    for (let n = 0; n < 10; n++) await queue.addMessage({ topic: 'a', payload: n }, REPORT);
    const deadline = Date.now() + 5000;
    while ((await queue.list()).length > 3 && Date.now() < deadline)
      await new Promise((resume) => setTimeout(resume, 50));
    expect((await queue.getMessages()).map(({ message }) => message.payload)).toEqual([7, 8, 9]);
  });

  it('refuses to replay without a bus, bad options, and work after it was closed', async () => {
    expect(() => new DeadLetterQueue({} as DeadLetterQueueOptions)).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }),
    );
    expect(() => new DeadLetterQueue({ storageDir: 'x', maxLetters: 0 })).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }),
    );
    const queue = queueOn(temporaryFolder());
    await expect(queue.replay({ all: true })).rejects.toMatchObject({ code: 'BUSBAR_NOT_RUNNING' });
    await queue.close();
    await expect(queue.addMessage({ topic: 'a', payload: 1 }, REPORT)).rejects.toMatchObject({
      code: 'BUSBAR_NOT_RUNNING',
    });
    await expect(queue.list()).rejects.toMatchObject({ code: 'BUSBAR_NOT_RUNNING' });
  });
});
