// Error reports on their way through the ring: whatever they say arrives, alone at once and many together.
import { describe, expect, it } from '@jest/globals';
import { ReportBatch } from '../src/observe/report-batch.js';
import { ReportQueue } from '../src/observe/report-queue.js';
import { systemClock } from '../src/shared/clock.js';
import { Doorbell } from '../src/shared/doorbell.js';
import type { ErrorReport } from '../src/shared/report.js';
import { type ReadReport, readReports } from '../src/shared/report-reader.js';
import { allocateRing, RingReader, RingWriter } from '../src/shared/ring.js';
import { asBuffer } from '../src/shared/views.js';
import { reportOf } from './reports.js';

function ringOf(bytes: number): { writer: RingWriter; read: () => ReadReport[][] } {
  const memory = allocateRing(bytes);
  const reader = new RingReader(memory);
  const read = (): ReadReport[][] => {
    const records: ReadReport[][] = [];
    for (let record = reader.read(); record !== undefined; record = reader.read()) {
      records.push(readReports(asBuffer(record.bytes)));
    }
    reader.release();
    return records;
  };
  return { writer: new RingWriter(memory), read };
}

const CONTEXTS: Record<string, unknown>[] = [
  {},
  { topic: 'a.b', subscriber_id: 'one', message: '{"n":1}', signature: 'v1:abc', repeats: 7 },
  { signature: 'other order', topic: 'a.b' },
  { topic: 5, code: null, phase: undefined, verdict: true, message: false },
  { n: -0.5, none: Number.NaN, most: Number.MAX_VALUE, far: Number.NEGATIVE_INFINITY, 'ключ 👋': 'значение \ud800' },
  { cause: { name: 'Error', message: 'é', errors: [{ at: new Date(5) }] }, list: [1, 'two', null] },
  JSON.parse('{"__proto__": "a name as any other"}'),
  Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`field ${n}`, n])),
  { long: 'é'.repeat(20_000) },
  { longer: '👋'.repeat(20_000) },
];

describe('a batch of reports', () => {
  it.each([64, 256, 1024])('brings each report as it was, in order, through a ring of %d KiB', (kib) => {
    const { writer, read } = ringOf(kib * 1024);
    const batch = new ReportBatch(writer);
    const sent: ErrorReport[] = [];
    const arrived: ReadReport[] = [];
    for (let n = 0; n < 200; n++) {
      const context = CONTEXTS[(n * 7) % CONTEXTS.length] as ErrorReport['context'];
      const report = reportOf({ context, traceback: n % 3 === 0 ? null : `at ${'x'.repeat(n)}`, retry_count: n });
      if (batch.add(report, n % 2 === 0)) sent.push(report);
      if (n % 23 === 0) batch.send();
      if (n % 5 === 0) arrived.push(...read().flat());
    }
    batch.send();
    arrived.push(...read().flat());
    expect(sent.length).toBeGreaterThan(kib === 64 ? 150 : 199);
    expect(arrived.map(({ report }) => report)).toEqual(sent);
    for (const { report, isRedacted } of arrived) expect(isRedacted).toBe(report.retry_count % 2 === 0);
  });

  it('refuses what finds no room, and takes the next that does', () => {
    const { writer, read } = ringOf(64 * 1024);
    const batch = new ReportBatch(writer);
    expect(batch.add(reportOf({ message: 'x'.repeat(100_000) }), true)).toBe(false);
    let added = 0;
    while (batch.add(reportOf({ message: 'x'.repeat(3000) }), true)) added++;
    expect(added).toBeGreaterThan(5);
    expect(read().flat()).toHaveLength(added);
    expect(batch.add(reportOf({ message: 'room again' }), true)).toBe(true);
    batch.send();
    expect(read().flat()[0]?.report.message).toBe('room again');
  });

  it('takes what fits an empty ring at one byte a character, and says of what does not that it never will', () => {
    for (const character of ['x', 'é']) {
      const { writer, read } = ringOf(1024 * 1024);
      const batch = new ReportBatch(writer);
      const report = reportOf({ message: character.repeat(520_000) });
      const next = reportOf({ message: '👋'.repeat(20_000) });
      expect([batch.add(report, true), batch.add(next, true)]).toEqual([true, true]);
      batch.send();
      const arrived = read().map((record) => record.map((one) => one.report));
      expect(arrived).toEqual([[report], [next]]);
    }
    const batch = new ReportBatch(ringOf(1024 * 1024).writer);
    for (const message of ['x'.repeat(530_000), '👋'.repeat(140_000)])
      expect([batch.add(reportOf({ message }), true), batch.wasTooLarge]).toEqual([false, true]);
    while (batch.add(reportOf({ message: 'x'.repeat(3000) }), true));
    expect(batch.wasTooLarge).toBe(false);
  });

  it('takes a context whose getters throw, come back, or that is no plain object', () => {
    const { writer, read } = ringOf(64 * 1024);
    const batch = new ReportBatch(writer);
    const inner: boolean[] = [];
    const context = {
      get back() {
        inner.push(batch.add(reportOf({ message: 'inner' }), true));
        return 'outer';
      },
    };
    expect(batch.add(reportOf({ context }), true)).toBe(true);
    const trap = {
      get trap() {
        throw new Error('caught');
      },
    };
    expect(batch.add(reportOf({ context: trap as never }), true)).toBe(true);
    expect(
      batch.add(
        reportOf({
          context: new (class Own {
            topic = 'a.b';
          })() as never,
        }),
        true,
      ),
    ).toBe(true);
    batch.send();
    expect(inner).toEqual([false]);
    expect(
      read()
        .flat()
        .map(({ report }) => report.context),
    ).toEqual([{ back: 'outer' }, { trap: '[threw]' }, { topic: 'a.b' }]);
  });
});

describe('the way to the log', () => {
  it('lets the first report of a run of code go at once, and those that follow together when the run ends', async () => {
    const { writer, read } = ringOf(1024 * 1024);
    const queue = new ReportQueue(writer, new Doorbell(Doorbell.allocate()), systemClock);
    const counts = (): number[] => read().map((record) => record.length);
    queue.add(reportOf(), true, '');
    expect(counts()).toEqual([1]);
    for (let n = 0; n < 20; n++) queue.add(reportOf(), true, '');
    expect(counts()).toEqual([16]);
    await Promise.resolve();
    expect(counts()).toEqual([4]);
    queue.add(reportOf(), true, '');
    expect(counts()).toEqual([1]);
    queue.add(reportOf(), true, '');
    queue.tell();
    expect(counts()).toEqual([1]);
  });

  it('tells what found no room also when its context throws, and does not wait for what can never go', () => {
    const { writer, read } = ringOf(64 * 1024);
    const queue = new ReportQueue(writer, new Doorbell(Doorbell.allocate()), systemClock);
    const refused = (more: Partial<ErrorReport>, times: number): void => {
      for (let n = 0; n < times; n++) expect(queue.add(reportOf(more), false, '')).toBe(false);
    };
    refused({ message: 'x'.repeat(100_000), context: { signature: 'v1:large', repeats: 5 } }, 2);
    while (queue.add(reportOf({ message: 'x'.repeat(3000), context: {} }), true, ''));
    const throws = {
      get: () => {
        throw new Error('caught');
      },
      enumerable: true,
    };
    refused({ context: Object.defineProperty({ signature: 'v1:trap' }, 'trap', throws) }, 3);
    refused({ context: Object.defineProperty({}, 'signature', throws) }, 4);
    refused({ context: { signature: 'v1:odd', repeats: Number.POSITIVE_INFINITY } }, 1);
    // With the one that ended the loop.
    expect(queue.lost).toBe(2 * 5 + 1 + 3 + 4 + 1);
    read();
    queue.tell();
    const told = read().flat();
    expect(told.map(({ report }) => [report.exception_type, report.context])).toEqual([
      ['LostReports', { repeats: 2 * 5 + 1 + 4 }],
      ['TimeoutError', { signature: 'v1:trap', trap: '[threw]', repeats: 3 }],
      ['TimeoutError', { signature: 'v1:odd', repeats: 1 }],
    ]);
  });
});
