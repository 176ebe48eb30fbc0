// What programs hand in that is no report or no letter is refused where it is handed in; what is good is kept all the same.
import { describe, expect, it, jest } from '@jest/globals';
import { ErrorLogger, type ErrorReport } from '../src/index.js';
import { Logging } from '../src/observe/logging.js';
import { createTestBus } from '../src/testing/index.js';
import { closed, queueOn, REPORT } from './letter-queues.js';
import { temporaryFolder } from './test-bus.js';

/** Gives up after a while, for the expectation that follows to say what is missing. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 4000;
  while (!holds() && performance.now() < deadline) await new Promise((resume) => setTimeout(resume, 5));
}

type GivenUp = Parameters<ReturnType<typeof queueOn>['addMessage']>[0];

describe('the error logger', () => {
  it('refuses and counts what is no report, fills in what may be left out, and goes on', async () => {
    const folder = temporaryFolder();
    const logging = Logging.of(folder);
    const logger = new ErrorLogger({ logDir: folder });
    const { traceback: _none, recovery_attempted: _no, ...fewer } = REPORT;
    const cycle: Record<string, unknown> = { n: 1n };
    cycle['self'] = cycle;
    const throwing = Object.defineProperty({ ...REPORT }, 'message', {
      get: () => {
        throw new Error('no');
      },
    });
    const bad = [null, 5, {}, { ...REPORT, message: 5 }, { ...REPORT, category: 'x' }, { ...REPORT, timestamp: 'now' }];
    bad.push({ ...REPORT, timestamp: 1_790_000_000_000 });
    for (const report of [...bad, { ...REPORT, context: null }, { ...REPORT, severity: undefined }, throwing])
      expect(logger.logError(report as ErrorReport)).toBe(false);
    expect(logger.logError(fewer as ErrorReport)).toBe(true);
    expect(logger.logError({ ...REPORT, error_id: 'cycle', context: cycle })).toBe(true);
    const errors = await logger.recentErrors();
    expect(errors.map(({ error_id: id }) => id).sort()).toEqual(['cycle', 'r', 'r-lost']);
    expect(errors.find(({ error_id: id }) => id === 'r')).toEqual(REPORT);
    expect(logging.health()).toMatchObject({ up: true, restarts: 0, lostReports: 10 });
    await logger.close();
    await logging.close();
  });

  it('keeps its totals and its schema whatever numbers and names a report has', async () => {
    const logger = new ErrorLogger({ logDir: temporaryFolder() });
    for (const retry_count of [-1, 1.5, 2 ** 32, Number.NaN])
      expect(logger.logError({ ...REPORT, retry_count })).toBe(false);
    expect(logger.logError({ ...REPORT, error_id: 'most', retry_count: 2 ** 32 - 1 })).toBe(true);
    for (const repeats of [Number.POSITIVE_INFINITY, Number.NaN, -7, 0, 1.5, null, '3'])
      expect(logger.logError({ ...REPORT, error_id: 'bad', context: { repeats, rollup: repeats } })).toBe(true);
    expect(logger.logError({ ...REPORT, error_id: 'good', context: { repeats: 3 } })).toBe(true);
    const context = { topic: 5, code: 7n, message: false, phase: { a: 1 }, signature: null, more: { a: null } };
    expect(logger.logError({ ...REPORT, error_id: 'odd', context } as unknown as ErrorReport)).toBe(true);
    // Those that were refused are told of with the next one.
    expect((await logger.getErrorStatistics()).totalErrors).toBe(4 + 1 + 7 + 3 + 1);
    const contextOf = new Map((await logger.recentErrors()).map((report) => [report.error_id, report.context]));
    expect(contextOf.get('bad')).toEqual({});
    expect(contextOf.get('good')).toEqual({ repeats: 3 });
    expect(contextOf.get('odd')).toEqual({ topic: '5', code: '7', message: 'false', more: { a: null } });
    await logger.close();
  });
});

describe('the dead-letter queue', () => {
  it('refuses what could not be read again, and keeps what comes with it', async () => {
    const folder = temporaryFolder();
    const queue = queueOn(folder);
    const message = { topic: 'a', payload: 1 };
    const first = queue.addMessage(message, REPORT);
    const messages = [
      { published_at: 1_790_000_000_000 },
      { id: 42 },
      { key: 7 },
      { priority: 'urgent' },
      { headers: { a: 1 } },
      { topic: 5 },
    ];
    const reports = [
      { retry_count: '1' },
      { retry_count: -1 },
      { retry_count: 1.5 },
      { retry_count: 2 ** 32 },
      { timestamp: Number.NaN },
      { timestamp: 1_790_000_000_000 },
      { category: 'x' },
      { message: 1 },
    ];
    const contexts = [{ subscriber_id: 5 }, { signature: null }];
    const refused = [
      ...messages.map((fields) => queue.addMessage({ ...message, ...fields } as unknown as GivenUp, REPORT)),
      ...reports.map((fields) => queue.addMessage(message, { ...REPORT, ...fields } as unknown as ErrorReport)),
      ...contexts.map((context) => queue.addMessage(message, { ...REPORT, context } as unknown as ErrorReport)),
      queue.addMessage(message, REPORT, 'boredom' as 'manual'),
    ];
    const results = await Promise.allSettled(refused);
    expect(results.map((result) => result.status === 'rejected' && result.reason.code)).toEqual(
      results.map(() => 'BUSBAR_INVALID_OPTION'),
    );
    const ids = [await first, await queue.addMessage(message, REPORT)];
    await closed(queue);
    expect((await queueOn(folder).list()).map(({ error_id: id }) => id)).toEqual(ids);
  });
});

describe('a bus on a full disk', () => {
  const broken = () => Promise.reject(new Error('broken'));
  const options = {
    subscriberId: 's',
    breaker: false,
    retry: { message_processing_error: { maxRetries: 0, backoffMs: 0 } },
  } as const;

  it('keeps a letter too large for the ring until there is room, too', async () => {
    const bus = await createTestBus({ clock: 'system' });
    await bus.subscribe('a.*', broken, options);
    bus.setDiskFull(true);
    bus.publish('a.small', Buffer.alloc(1000));
    bus.publish('a.large', Buffer.alloc(3 * 1024 * 1024, 7));
    const logging = () => bus.getHealthStatus().logging;
    await until(() => logging()?.unpersisted === 2);
    bus.setDiskFull(false);
    await until(() => logging()?.unpersisted === 0);
    const letters = await bus.deadLetterQueue?.getMessages();
    expect(letters?.map(({ topic }) => topic).sort()).toEqual(['a.large', 'a.small']);
    expect(logging()).toMatchObject({ lostLetters: 0 });
    await bus.stop();
  });

  it('ends a replay that it could not tell the end of as soon as there is room', async () => {
    const bus = await createTestBus({ clock: 'system' });
    const queue = bus.deadLetterQueue as NonNullable<typeof bus.deadLetterQueue>;
    const handled: unknown[] = [];
    let isBroken = true;
    const handler = (payload: unknown) => {
      if (isBroken) throw new Error('broken');
      // Once: a call that comes late must not fill the disk again that has room by then.
      if (handled.push(payload) === 1) bus.setDiskFull(true);
    };
    await bus.subscribe('a.*', handler, options);
    for (let n = 0; n < 3; n++) bus.publish('a.b', n);
    await bus.idle();
    isBroken = false;
    await expect(queue.replay({ all: true })).rejects.toMatchObject({ code: 'BUSBAR_LOG_FOLDER' });
    expect(await queue.list({ state: 'pending_replay' })).not.toEqual([]);
    expect(await queue.replay({ all: true })).toMatchObject({ replayed: [] });
    bus.setDiskFull(false);
    while ((await queue.list({ state: 'pending_replay' })).length > 0) await new Promise((r) => setTimeout(r, 5));
    const left = (await queue.getMessages()).map(({ message }) => message.payload);
    expect([...handled, ...left].sort()).toEqual([0, 1, 2]);
    expect(handled).not.toEqual([]);
    await bus.stop();
  });

  it('that is stopped says how many letters are lost, and which', async () => {
    const bus = await createTestBus({ clock: 'system' });
    await bus.subscribe('a.*', broken, options);
    await bus.subscribe('b', broken, { ...options, subscriberId: 'large' });
    bus.setDiskFull(true);
    for (let n = 0; n < 25; n++) bus.publish('a.b', n, { id: `id-${n}` });
    bus.publish('b', Buffer.alloc(3 * 1024 * 1024), { id: 'id\n\u001b[2J' });
    await until(() => bus.getHealthStatus().logging?.unpersisted === 26);
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await bus.stop();
    const first = Array.from({ length: 20 }, (_, n) => `"id-${n}"`).join(', ');
    expect(warn.mock.calls).toEqual([
      [
        expect.stringMatching(/^26 dead letters could not be written to .* and are lost$/),
        {
          type: 'BusbarWarning',
          code: 'BUSBAR_LETTERS_LOST',
          detail: `1 of b#large: "id\\n\\u001b[2J"\n25 of a.*#s: ${first}, and 5 more`,
        },
      ],
    ]);
    warn.mockRestore();
    const { logging, reasons } = bus.getHealthStatus();
    expect(logging).toMatchObject({ lostLetters: 26 });
    expect(reasons).toContain('26 dead letters were lost');
  });
});
