// The error log on disk: its lines, its limits, its totals, and what happens when the disk does not play along.

import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ErrorLogger, type ErrorLoggerOptions, type ErrorSeverity } from '../src/index.js';
import { reportOf } from './reports.js';
import { linesOf, makeFolder, temporaryFolder } from './test-bus.js';

const loggers: ErrorLogger[] = [];
afterEach(async () => {
  for (const logger of loggers.splice(0)) await logger.close();
});

function loggerOn(logDir: string, options: Partial<ErrorLoggerOptions> = {}): ErrorLogger {
  const logger = new ErrorLogger({ logDir, ...options });
  loggers.push(logger);
  return logger;
}

/** One for all tests to which a log of their own is not the point: a thread costs more than they do. */
function shareLogger() {
  const folder = makeFolder();
  const file = join(folder, 'message_bus_errors.json');
  let logger: ErrorLogger;
  let before = { lines: 0, errors: 0 };
  beforeAll(() => {
    logger = new ErrorLogger({ logDir: folder });
  });
  beforeEach(async () => {
    before = { lines: linesOf(file).length, errors: (await logger.getErrorStatistics()).totalErrors };
  });
  afterAll(async () => {
    await logger.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    file,
    get logger() {
      return logger;
    },
    /** The lines that were written since the test began. */
    records: () =>
      linesOf(file)
        .slice(before.lines)
        .map((line) => JSON.parse(line)),
    /** How many errors were counted since the test began. */
    counted: async () => (await logger.getErrorStatistics()).totalErrors - before.errors,
  };
}

const shared = shareLogger();

describe('the error log', () => {
  it('has one line for each report, exactly as it was, with the level of its severity', async () => {
    const { logger, file, records } = shared;
    const levels: [ErrorSeverity, string][] = [
      ['low', 'info'],
      ['medium', 'warn'],
      ['high', 'error'],
      ['critical', 'fatal'],
    ];
    const reports = levels.map(([severity]) =>
      reportOf({ severity, message: `line\nbreak ${severity} 👋`, traceback: 'a\nb' }),
    );
    for (const report of reports) expect(logger.logError(report)).toBe(true);
    await logger.flush();
    expect(records()).toEqual(reports.map((report, index) => ({ level: levels[index]?.[1], ...report })));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('takes reports whose context is more than plain data, and says what can be said', async () => {
    const { logger, records } = shared;
    const cycle: Record<string, unknown> = { name: 'round' };
    cycle['self'] = cycle;
    const hostile = Object.defineProperty({}, 'trap', {
      enumerable: true,
      get: () => {
        throw new Error('caught');
      },
    });
    const context = { cycle, hostile, many: new Map([['a', 1n]]), at: new Date(0), nothing: undefined, no: Number.NaN };
    expect(logger.logError(reportOf({ context }))).toBe(true);
    expect(logger.logError(reportOf({ context: { at: new Date(0), nothing: undefined } }))).toBe(true);
    await logger.flush();
    const [first, second] = records().map(({ context }) => context);
    expect(first).toMatchObject({
      cycle: { name: 'round', self: '[circular]' },
      hostile: { trap: '[threw]' },
      many: { a: '1n' },
      at: '1970-01-01T00:00:00.000Z',
    });
    expect(second).toEqual({ at: '1970-01-01T00:00:00.000Z' });
    expect((await logger.recentErrors({ limit: 1 }))[0]?.context).toMatchObject(second);
  });

  it('answers what was, the newest first', async () => {
    const logger = loggerOn(temporaryFolder());
    for (let n = 0; n < 5; n++)
      logger.logError(reportOf({ message: `m${n}`, category: n % 2 ? 'timeout_error' : 'connection_error' }));
    expect((await logger.recentErrors({ category: 'timeout_error' })).map(({ message }) => message)).toEqual([
      'm3',
      'm1',
    ]);
    expect(await logger.recentErrors({ limit: 2 })).toHaveLength(2);
    expect(await logger.recentErrors({ topic: 'elsewhere' })).toEqual([]);
    expect(await logger.recentErrors({ since: new Date(Date.now() - 60_000) })).toHaveLength(5);
    expect(await logger.recentErrors({ since: '2100-01-01' })).toEqual([]);
    for (const wrong of [{ since: Date.now() }, { categry: 'timeout_error' }, { limit: 0 }, 5])
      await expect(logger.recentErrors(wrong as object)).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
  });

  it('counts on across restarts, and has every key also when there was no error', async () => {
    const folder = temporaryFolder();
    const first = loggerOn(folder);
    expect(await first.getErrorStatistics()).toMatchObject({
      totalErrors: 0,
      errorRate1h: 0,
      recoverySuccessRate: 1,
      categories: { configuration_error: 0 },
    });
    first.logError(reportOf({ recovery_successful: true }));
    first.logError(reportOf());
    await first.close();
    const metrics = JSON.parse(readFileSync(join(folder, 'error_metrics.json'), 'utf8'));
    expect(metrics).toMatchObject({
      total_errors: 2,
      error_counts_by_category: { timeout_error: 2 },
      last_updated: expect.any(Number),
    });
    expect(metrics.recent_errors[0]).toEqual({
      category: 'timeout_error',
      severity: 'high',
      timestamp: expect.any(Number),
      component: 'test',
    });
    const second = loggerOn(folder);
    second.logError(reportOf({ category: 'connection_error' }));
    expect(await second.getErrorStatistics()).toMatchObject({
      totalErrors: 3,
      recentErrors1h: 1,
      recoverySuccessRate: 1 / 3,
    });
  });

  it('starts with a damaged metrics file as with none', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'error_metrics.json'), '{"total_errors": "many", "error_counts_by_category": [');
    expect((await loggerOn(folder).getErrorStatistics()).totalErrors).toBe(0);
  });

  it('is rotated before it grows above its limit, and keeps so many files', async () => {
    const folder = temporaryFolder();
    const logger = loggerOn(folder, { maxLogSize: 4096, maxFiles: 3 });
    for (let n = 0; n < 200; n++) logger.logError(reportOf({ message: 'x'.repeat(n % 300), context: { n } }));
    await logger.flush();
    const names = readdirSync(folder).filter((name) => name.startsWith('message_bus_errors'));
    expect(names).toHaveLength(4);
    for (const name of names) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(4096);
    const newest = linesOf(join(folder, 'message_bus_errors.json')).at(-1) ?? '';
    expect(JSON.parse(newest).context.n).toBe(199);
  });

  it('is rotated behind the files of a clock that was ahead: the newest is never the first to go', async () => {
    const folder = temporaryFolder();
    for (const n of [8, 9]) writeFileSync(join(folder, `message_bus_errors_20990101T000000000Z_${n}.json`), '');
    const logger = loggerOn(folder, { maxLogSize: 1024, maxFiles: 2 });
    for (let n = 0; n < 12; n++) logger.logError(reportOf({ message: 'x'.repeat(600), context: { n } }));
    await logger.flush();
    const kept = readdirSync(folder)
      .filter((name) => name.startsWith('message_bus_errors'))
      .flatMap((name) => linesOf(join(folder, name)).map((line) => JSON.parse(line).context.n as number));
    expect(kept.sort((a, b) => a - b)).toEqual([9, 10, 11]);
  });

  it('rolls identical failures up: the first in full, then how many', async () => {
    const { logger, records, counted } = shared;
    for (let n = 0; n < 100; n++) logger.logError(reportOf({ context: { signature: 'v1:abc' } }));
    logger.logError(reportOf({ context: { signature: 'v1:other' } }));
    await logger.flush();
    const lines = records();
    expect(lines).toHaveLength(12);
    expect(lines.at(-1)).toMatchObject({ message: 'too late (90 more like this)', context: { rollup: { count: 90 } } });
    expect(await counted()).toBe(101);
  });

  it('goes on when its file is moved away, replaced, deleted, or its folder is', async () => {
    const folder = join(temporaryFolder(), 'logs');
    const file = join(folder, 'message_bus_errors.json');
    const logger = loggerOn(folder);
    logger.logError(reportOf());
    await logger.flush();
    renameSync(file, `${file}.moved`);
    logger.logError(reportOf({ message: 'after the move' }));
    await logger.flush();
    expect(linesOf(file)).toHaveLength(1);
    copyFileSync(file, `${file}.copy`);
    renameSync(`${file}.copy`, file);
    logger.logError(reportOf({ message: 'after it was replaced' }));
    await logger.flush();
    expect(linesOf(file)).toHaveLength(2);
    rmSync(folder, { recursive: true });
    logger.logError(reportOf({ message: 'nowhere to go' }));
    await logger.flush();
    logger.logError(reportOf({ message: 'back again' }));
    await logger.flush();
    const messages = linesOf(file).map((line) => JSON.parse(line).message);
    expect(messages).toEqual(expect.arrayContaining(['nowhere to go', 'back again']));
    expect(messages.some((message: string) => message.includes('could not be written'))).toBe(true);
  });

  it('takes secrets out of what programs hand in', async () => {
    const { logger, records } = shared;
    logger.logError(
      reportOf({ message: 'password=hunter2', context: { headers: { authorization: 'Basic hunter2' } } }),
    );
    await logger.flush();
    const text = JSON.stringify(records());
    expect(text).toContain('[redacted]');
    expect(text).not.toContain('hunter2');
  });

  it('counts what finds no room, and says how many', async () => {
    const folder = temporaryFolder();
    const logger = loggerOn(folder);
    await logger.flush();
    let lost = 0;
    for (let n = 0; n < 5000; n++)
      if (!logger.logError(reportOf({ message: 'x'.repeat(2000), context: { n } }))) lost++;
    expect(lost).toBeGreaterThan(0);
    await logger.flush();
    expect(logger.logError(reportOf())).toBe(true);
    await logger.flush();
    const told = linesOf(join(folder, 'message_bus_errors.json'))
      .map((line) => JSON.parse(line))
      .filter(({ exception_type: type }) => type === 'LostReports');
    expect(told.reduce((sum, { context }) => sum + context.repeats, 0)).toBe(lost);
    expect((await logger.getErrorStatistics()).totalErrors).toBe(5001);
  });

  it('counts what finds no room with those of its signature, in one line for each', async () => {
    const folder = temporaryFolder();
    const logger = loggerOn(folder);
    await logger.flush();
    const kinds = [
      { category: 'timeout_error', context: { signature: 'v1:one' } },
      { category: 'connection_error', context: { signature: 'v1:two' } },
    ] as const;
    const message = 'x'.repeat(2000);
    let lost = 0;
    for (let n = 0; n < 3000; n++) if (!logger.logError(reportOf({ message, ...kinds[n % 2] }))) lost++;
    expect(lost).toBeGreaterThan(0);
    // Makes room.
    await logger.getErrorStatistics();
    await logger.flush();
    const { categories, totalErrors } = await logger.getErrorStatistics();
    expect([totalErrors, categories.timeout_error, categories.connection_error]).toEqual([3000, 1500, 1500]);
    const lines = linesOf(join(folder, 'message_bus_errors.json')).map((line) => JSON.parse(line));
    const rolledUp = lines
      .filter(({ context }) => context.rollup)
      .map(({ context }) => [context.signature, context.rollup.count]);
    expect(rolledUp.sort()).toEqual([
      ['v1:one', 1490],
      ['v1:two', 1490],
    ]);
    expect(lines).toHaveLength(22);
  });

  it('refuses bad options, and work after it was closed', async () => {
    expect(() => new ErrorLogger({} as ErrorLoggerOptions)).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }),
    );
    expect(() => new ErrorLogger({ logDir: 'x', maxLogSize: 10 })).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }),
    );
    const logger = loggerOn(temporaryFolder());
    await logger.close();
    await logger.close();
    expect(logger.logError(reportOf())).toBe(false);
    await expect(logger.flush()).rejects.toMatchObject({ code: 'BUSBAR_NOT_RUNNING' });
  });

  it('is shared by all that log into one folder in this process', async () => {
    const folder = temporaryFolder();
    const one = loggerOn(folder);
    const other = loggerOn(`${folder}/../${folder.split('/').at(-1)}`);
    one.logError(reportOf());
    other.logError(reportOf());
    expect((await one.getErrorStatistics()).totalErrors).toBe(2);
    await one.close();
    expect((await other.getErrorStatistics()).totalErrors).toBe(2);
  });
});
