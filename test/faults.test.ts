// Handlers that throw, hang, loop, exit and hoard: each hurts its own delivery, and no other pays.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, jest } from '@jest/globals';
import type { SubscribeOptions } from '../src/index.js';
import { systemClock } from '../src/shared/clock.js';
import { PROGRESS_BYTES } from '../src/shared/lane-task.js';
import { Pool } from '../src/threads/pool.js';
import exitsAfterwards from './fixtures/exits-afterwards.js';
import exitsAtImport, { mark } from './fixtures/exits-at-import.js';
import misbehaves from './fixtures/misbehaves.js';
import returnsThenables from './fixtures/returns-thenables.js';
import { DEADLINE, type Scene, sceneOf } from './scene.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf, linesOf, startBus, temporaryFolder } from './test-bus.js';

const SMALL_HEAP = { maxOldGenerationSizeMb: 64 };
/** Whatever one test does to its threads, the next one finds a bus that works. */
const shared = shareBus({ resourceLimits: SMALL_HEAP, spareThreads: 1 });

const setScene = (options?: Partial<SubscribeOptions>): Promise<Scene> => sceneOf(shared.bus, options);

describe('a handler that', () => {
  it('throws is called again as its category says, then its message is kept', async () => {
    const scene = await setScene();
    await scene.act(undefined, 'throw', undefined);
    expect(scene.done()).toEqual([0, 2]);
    expect(scene.starts(1)).toBe(3);
    expect(await lettersOf(scene.bus)).toMatchObject([
      {
        reason: 'retries_exhausted',
        error_category: 'message_processing_error',
        started: 3,
        failed: 3,
        retry_count: 2,
        error: { name: 'TypeError', message: 'thrown on purpose' },
        message: { payload: { n: 1, deed: 'throw' } },
        history: [{ category: 'message_processing_error', count: 3 }],
      },
    ]);
  });

  it('throws once succeeds at the second attempt, and counts as recovered', async () => {
    const scene = await setScene();
    const { errorsRecovered, messagesFailed } = scene.bus.getHealthStatus();
    await scene.act('throw once');
    expect(scene.done()).toEqual([0]);
    const health = scene.bus.getHealthStatus();
    expect(health).toMatchObject({ errorsRecovered: errorsRecovered + 1, messagesFailed });
  });

  it('throws something that is no error is recorded all the same', async () => {
    const scene = await setScene();
    await scene.act('throw a string');
    expect(await lettersOf(scene.bus)).toMatchObject([{ error: { name: 'thrown string', message: 'just text' } }]);
  });

  it('loops for ever is ended at its deadline, and only its message is to blame', async () => {
    const scene = await setScene(DEADLINE);
    await scene.act(undefined, 'loop', undefined, undefined);
    expect(scene.done()).toEqual([0, 2, 3]);
    expect(scene.starts(1)).toBe(2);
    expect(scene.starts(2)).toBe(1);
    expect(await lettersOf(scene.bus)).toMatchObject([
      { error_category: 'timeout_error', reason: 'retries_exhausted', error: { code: 'BUSBAR_HANDLER_TIMEOUT' } },
    ]);
    expect(shared.replaced()).toBe(2);
  });

  it('never settles is ended at its deadline', async () => {
    const scene = await setScene(DEADLINE);
    await scene.act('never settle', undefined);
    expect(scene.done()).toEqual([1]);
    expect(await lettersOf(scene.bus)).toMatchObject([{ error_category: 'timeout_error' }]);
  });

  it('exits its thread twice is quarantined as poison', async () => {
    const scene = await setScene();
    await scene.act(undefined, 'exit', undefined);
    expect(scene.done()).toEqual([0, 2]);
    expect(scene.starts(1)).toBe(2);
    const exited = expect.stringMatching(/^the worker thread ended with exit code 7 while the handler ran/);
    expect(await lettersOf(scene.bus)).toMatchObject([
      { reason: 'poison', error_category: 'connection_error', failed: 2, error: { message: exited } },
    ]);
  });

  it('exits its thread once is called again', async () => {
    const scene = await setScene();
    await scene.act('exit once', undefined);
    expect(scene.done()).toEqual([0, 1]);
    expect(await lettersOf(scene.bus)).toEqual([]);
  });

  it('is stopped from exiting by a listener that throws fails, and its thread lives on', async () => {
    const bus = await shared.beside({ retry: { message_processing_error: { maxRetries: 0, backoffMs: 0 } } });
    await bus.subscribe('deeds', misbehaves, { subscriberId: 's', breaker: false });
    const ledger = join(temporaryFolder(), 'ledger');
    for (const [n, deed] of ['exit in vain', 'wait'].entries()) bus.publish('deeds', { n, ledger, deed });
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([
      { message: { payload: { n: 0 } }, error: { message: 'stopped from exiting' } },
    ]);
    expect(bus.getHealthStatus().threads.replaced).toBe(0);
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 1, deadLettered: 1 });
  });

  it('runs out of memory is given up at once', async () => {
    const scene = await setScene();
    await scene.act(undefined, 'hoard', undefined);
    expect(scene.done()).toEqual([0, 2]);
    expect(scene.starts(1)).toBe(1);
    expect(await lettersOf(scene.bus)).toMatchObject([
      { reason: 'not_retryable', error_category: 'resource_exhaustion', error: { code: 'ERR_WORKER_OUT_OF_MEMORY' } },
    ]);
    expect((await shared.reports())[0]).toMatchObject({ severity: 'critical' });
  });

  it.each([
    ['throws from a timer while it runs', 'throw from a timer', 'RangeError'],
    ['floats a rejection while it runs', 'float a rejection', 'Error'],
  ])('%s fails, and its thread lives on', async (_name, deed, name) => {
    const scene = await setScene({ graceMs: 5000 });
    await scene.act(undefined, deed, undefined);
    expect(await lettersOf(scene.bus)).toMatchObject([
      { reason: 'retries_exhausted', error: { name }, message: { payload: { n: 1 } } },
    ]);
    expect(accountOf(scene.bus, 's')).toMatchObject({ succeeded: 2, deadLettered: 1 });
    expect(shared.replaced()).toBe(0);
  });

  it('throws after its end is named in the log, and nothing else happens', async () => {
    const scene = await setScene();
    await scene.act('throw after the end');
    const wait = Date.now() + 5000;
    let late: unknown[] = [];
    while (late.length === 0 && Date.now() < wait) {
      await scene.act('wait');
      late = await shared.reports();
    }
    expect(late).toMatchObject([
      { message: 'thrown after the end', context: { phase: 'late', topic: 'deeds', subscriber_id: 's' } },
    ]);
    expect(accountOf(scene.bus, 's')).toMatchObject({ deadLettered: 0, pending: 0 });
  });
});

describe('a thenable that goes on after it has called back', () => {
  it.each(['throws', 'exits'] as const)('and %s fails its own message, not the one that follows', async (fault) => {
    const { bus } = shared;
    const retry = { message_processing_error: { maxRetries: 0 }, connection_error: { maxRetries: 0 } };
    await bus.subscribe('then', returnsThenables, { subscriberId: 's', breaker: false, retry });
    bus.publish('then', fault);
    bus.publish('then', 'late');
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([{ message: { payload: fault }, started: 1, failed: 1 }]);
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 1, deadLettered: 1 });
  });
});

describe('a handler can say itself', () => {
  it('that it wants to be called later, at no cost of an attempt', async () => {
    const scene = await setScene({ retry: { message_processing_error: { maxRetries: 0, backoffMs: 0 } } });
    await scene.act('later');
    expect(scene.done()).toEqual([0]);
    expect(scene.starts(0)).toBe(3);
    expect(accountOf(scene.bus, 's')).toMatchObject({ succeeded: 1, deadLettered: 0 });
  });

  it('that its message is not worth it', async () => {
    const scene = await setScene();
    await scene.act('discard');
    expect(accountOf(scene.bus, 's')).toEqual({ routed: 1, succeeded: 0, deadLettered: 0, dropped: 1, pending: 0 });
  });

  it('that its message is hopeless', async () => {
    const scene = await setScene();
    await scene.act('give up');
    expect(scene.starts(0)).toBe(1);
    expect(await lettersOf(scene.bus)).toMatchObject([
      { reason: 'rejected_by_handler', error: { message: 'hopeless' } },
    ]);
  });
});

describe('a lane whose threads keep dying', () => {
  it('is held after five deaths that no message is to blame for, and health says why', async () => {
    const bus = await shared.beside();
    await bus.subscribe('orders', exitsAfterwards, { subscriberId: 's', breaker: false });
    for (let death = 1; death <= 5; death++) {
      bus.publish('orders', 'exit');
      const deadline = Date.now() + 5000;
      while (bus.getHealthStatus().threads.replaced < death && Date.now() < deadline) {
        await new Promise((resume) => setTimeout(resume, 2));
      }
    }
    bus.publish('orders', 'live');
    await new Promise((resume) => setTimeout(resume, 50));
    const health = bus.getHealthStatus();
    expect(health.subscriptions).toMatchObject([{ held: true, succeeded: 5, pending: 1, deadLettered: 0 }]);
    expect(health.reasons).toContain('threads of orders#s keep dying; the lane is held');
    expect(await shared.reports()).toMatchObject([{ context: { code: 'BUSBAR_WORKER_LOST', phase: 'thread' } }]);
  });

  it('is not held for deaths that a message is to blame for', async () => {
    const retry = { connection_error: { maxRetries: 0, backoffMs: 0 } };
    const scene = await setScene({ retry });
    await scene.act(...Array<string>(6).fill('exit'), undefined);
    expect(scene.done()).toEqual([6]);
    expect(scene.bus.getHealthStatus().subscriptions).toMatchObject([{ held: false, deadLettered: 6, succeeded: 1 }]);
  });
});

describe('a module that ends its thread at import', () => {
  it('on every thread but the first does not have threads made without end', async () => {
    rmSync(mark, { force: true });
    const bus = await shared.beside({ threads: 1, spareThreads: 1 });
    await bus.subscribe('numbers', exitsAtImport, { subscriberId: 's', breaker: false });
    expect(await bus.request('numbers', 7)).toBe(7);
    // The first one, and one that was ended by it: then threads begin without it.
    while (linesOf(mark).length < 2) await new Promise((resume) => setTimeout(resume, 20));
    while (bus.getHealthStatus().threads.alive < 2) await new Promise((resume) => setTimeout(resume, 20));
    await new Promise((resume) => setTimeout(resume, 500));
    expect(linesOf(mark)).toHaveLength(2);
    expect(await bus.request('numbers', 8)).toBe(8);
    rmSync(mark);
  });
});

describe('threads that end on their own, without a task', () => {
  it('have nothing loaded early for a minute', async () => {
    const link = { channel: 'faults-test', setUps: new SharedArrayBuffer(4) };
    const pool = new Pool({ threads: 1, spareThreads: 0, limits: {} }, link, () => undefined);
    const url = 'data:text/javascript,setTimeout(() => process.exit(1), 5); export default () => 0';
    const handler = { url, exportName: 'default', codec: null, setupTimeoutMs: 10_000 };
    const progress = new SharedArrayBuffer(PROGRESS_BYTES);
    const endOne = async (): Promise<void> => {
      while (pool.missing > 0) await new Promise((resume) => setTimeout(resume, 5));
      const [id = -1] = pool.threadIds;
      await pool.run({ kind: 'load', handler, redact: {}, progress }, new AbortController().signal);
      while (pool.threadIds.includes(id)) await new Promise((resume) => setTimeout(resume, 5));
      // It is judged a moment later.
      await new Promise((resume) => setTimeout(resume, 60));
    };
    const seen: boolean[] = [];
    await pool.ready();
    for (let n = 0; n < 3; n++) {
      await endOne();
      seen.push(pool.isUnruly);
    }
    const later = systemClock.elapsed() + 60_000;
    const elapsed = jest.spyOn(systemClock, 'elapsed').mockImplementation(() => later);
    seen.push(pool.isUnruly);
    elapsed.mockRestore();
    await pool.close();
    expect(seen).toEqual([false, false, true, false]);
  });
});

describe('without error handling', () => {
  it('a failure is dropped and counted after one attempt, and there are no files', async () => {
    const bus = await startBus({ enableErrorHandling: false, resourceLimits: SMALL_HEAP });
    const ledger = join(temporaryFolder(), 'ledger');
    await bus.subscribe('deeds', misbehaves, { subscriberId: 's', ...DEADLINE });
    for (const deed of ['throw', 'exit', 'loop', undefined]) bus.publish('deeds', { n: 1, ledger, deed });
    await bus.idle();
    expect(accountOf(bus, 's')).toEqual({ routed: 4, succeeded: 1, deadLettered: 0, dropped: 3, pending: 0 });
    expect([bus.deadLetterQueue, bus.errorLogger, bus.recoveryManager]).toEqual([null, null, null]);
    expect(bus.getHealthStatus()).toMatchObject({ errorStatistics: null, logging: null });
  });
});
