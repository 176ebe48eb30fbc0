// Messages that are larger than a ring takes: they arrive, in order, through failures, and nothing of them stays behind.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import follows from './fixtures/follows.js';
import makesLarge from './fixtures/makes-large.js';
import measures from './fixtures/measures.js';
import { throwsHugely } from './fixtures/publishes.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf, linesOf, temporaryFolder } from './test-bus.js';

const MEBIBYTE = 1024 * 1024;

function bytesOf(length: number, mark: number): Uint8Array {
  return new Uint8Array(length).fill(mark);
}

const shared = shareBus({ ringBytes: 65_536, threads: 2 });
const limited = shareBus({ maxMessageBytes: 2 * MEBIBYTE });

describe('what a handler returns or publishes', () => {
  it('may be as large as a message, in order, through the end of its thread, beside others', async () => {
    const { bus } = shared;
    const heard: number[][] = [];
    await bus.subscribe('in', makesLarge, {
      subscriberId: 's',
      concurrency: 2,
      timeoutMs: 5000,
      breaker: false,
    });
    await bus.subscribe(
      'out',
      (bytes: Uint8Array) => void heard.push([bytes.length, bytes[0] ?? -1, bytes.at(-1) ?? -1]),
      {
        subscriberId: 'out',
      },
    );
    const lengths = [4 * MEBIBYTE, 1000, 300_000, 3 * MEBIBYTE];
    const replies = await Promise.all(lengths.map((length, mark) => bus.request<Uint8Array>('in', { length, mark })));
    expect(replies.map((bytes) => [bytes.length, bytes[0], bytes.at(-1)])).toEqual(
      lengths.map((length, mark) => [length, mark, mark]),
    );
    const dying = bus.request<Uint8Array>('in', {
      length: 2 * MEBIBYTE,
      mark: 9,
      exited: join(temporaryFolder(), 'exited'),
    });
    expect((await dying).length).toBe(2 * MEBIBYTE);
    await bus.idle();
    expect(heard.sort(([a], [b]) => (a ?? 0) - (b ?? 0))).toEqual([
      [1000, 1, 1],
      [300_000, 2, 2],
      [2 * MEBIBYTE, 9, 9],
      [3 * MEBIBYTE, 3, 3],
      [4 * MEBIBYTE, 0, 0],
    ]);
  });

  it('is refused above the limit with a clear error', async () => {
    const { bus } = limited;
    await bus.subscribe('in', makesLarge, { subscriberId: 's', breaker: false });
    const tooLarge = bus.request('in', { length: 2 * MEBIBYTE + 1, mark: 1 });
    await expect(tooLarge).rejects.toThrow('a message of 2097153 bytes is larger than maxMessageBytes: 2097152 bytes');
    expect(await lettersOf(bus)).toMatchObject([{ error: { code: 'BUSBAR_MESSAGE_TOO_LARGE' } }]);
  });
});

describe('a large message', () => {
  it('arrives whole, as a copy or as a view, in many subscriptions at once', async () => {
    const { bus } = shared;
    const lengths: number[] = [];
    await bus.subscribe('frame', measures, { subscriberId: 'copy' });
    await bus.subscribe('frame', (bytes: Uint8Array) => void lengths.push(bytes.length), { subscriberId: 'main' });
    await bus.subscribe('view', measures, { subscriberId: 'view', bytes: 'view', concurrency: 4 });
    for (let n = 0; n < 5; n++) expect(bus.publish('frame', bytesOf(MEBIBYTE + n, n))).toBe(true);
    const answers = await Promise.all(
      [16_384, 16_385, 3 * MEBIBYTE].map((length, n) => bus.request('view', bytesOf(length, n))),
    );
    expect(answers).toEqual([
      [16_384, 0, 0],
      [16_385, 1, 1],
      [3 * MEBIBYTE, 2, 2],
    ]);
    await bus.idle();
    expect(lengths).toEqual([0, 1, 2, 3, 4].map((n) => MEBIBYTE + n));
    expect(accountOf(bus, 'copy')).toMatchObject({ succeeded: 5 });
  });

  it('stays as it was published, though the publisher writes its next frame into the same shared memory', async () => {
    const { bus } = shared;
    const seen: number[][] = [];
    await bus.subscribe('frame', (bytes: Uint8Array) => void seen.push([bytes.length, bytes[0] as number]), {
      subscriberId: 'main',
    });
    for (const length of [100, 100_000]) {
      const frame = new Uint8Array(new SharedArrayBuffer(length)).fill(1);
      bus.publish('frame', frame);
      frame.fill(2);
    }
    await bus.idle();
    expect(seen).toEqual([
      [100, 1],
      [100_000, 1],
    ]);
  });

  it('comes back whole from failures and deaths, and lies whole in the dead-letter queue', async () => {
    const { bus } = shared;
    await bus.subscribe('frame', measures, { subscriberId: 's' });
    const request = (headers: Record<string, string>) => bus.request('frame', bytesOf(100_000, 7), { headers });
    expect(await request({ fail: 'once' })).toEqual([100_000, 7, 7]);
    expect(await request({ exit: 'once' })).toEqual([100_000, 7, 7]);
    const held = await bus.subscribe('held', measures, { subscriberId: 't' });
    held.pause();
    bus.publish('held', bytesOf(100_000, 9));
    await held.unsubscribe({ drain: false });
    await bus.idle();
    const [letter] = await lettersOf(bus);
    expect(Buffer.from(letter?.message.payload as Uint8Array)).toEqual(Buffer.alloc(100_000, 9));
  });

  it('keeps its place among small ones', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    await bus.subscribe('a', follows, { subscriberId: 's' });
    for (let n = 0; n < 60; n++) {
      const ballast = n % 3 === 0 ? 'x'.repeat(20_000) : '';
      bus.publish('a', { stream: 's', n, ledger, deeds: n % 7 === 0 ? ['throw'] : [], ballast });
    }
    await bus.idle();
    const done = linesOf(ledger).filter((line) => line.endsWith('done'));
    expect(done.map((line) => Number(line.split(' ')[1]))).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });

  it('whose headers make it large arrives too, wherever the ring stands', async () => {
    const { bus } = shared;
    await bus.subscribe('frame', measures, { subscriberId: 's' });
    const options = { headers: { note: '\u20ac'.repeat(16_300) }, key: 'k'.repeat(1024), id: 'i'.repeat(1024) };
    for (const before of [0, 16_000, 32_000, 60_000]) {
      await bus.request('frame', bytesOf(before, 1));
      expect(await bus.request('frame', bytesOf(16_300, 2), options)).toEqual([16_300, 2, 2]);
    }
  });

  it('whose failure is long to tell is told all the same', async () => {
    const { bus } = shared;
    const options = { breaker: false as const, retry: { message_processing_error: { maxRetries: 0, backoffMs: 0 } } };
    await bus.subscribe('huge', throwsHugely, { subscriberId: 's', ...options });
    for (let n = 0; n < 4; n++) bus.publish('huge', 'x', { headers: { note: '\u20ac'.repeat(16_300) } });
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ deadLettered: 4 });
  });

  it('counts as bytes that wait, and above the limit is refused with a clear error', async () => {
    const { bus } = limited;
    const options = { subscriberId: 's', maxQueueBytes: 3 * MEBIBYTE, overflow: 'reject' } as const;
    const subscription = await bus.subscribe('a', measures, options);
    subscription.pause();
    const accepted = [1, 1, 0.99, 1].map((part) => bus.publish('a', bytesOf(part * MEBIBYTE, 1)));
    expect(accepted).toEqual([true, true, true, false]);
    expect(bus.publish('a', bytesOf(2 * MEBIBYTE + 1, 1))).toBe(false);
    expect(await lettersOf(bus)).toMatchObject([{ error: { code: 'BUSBAR_MESSAGE_TOO_LARGE' } }]);
    subscription.resume();
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 3, dropped: 1, deadLettered: 1 });
    expect(bus.publish('a', bytesOf(2 * MEBIBYTE, 1))).toBe(true);
    await bus.idle();
  });
});
