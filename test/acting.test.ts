// Recovery that acts: reconnect hooks, escalation of critical failures, the emergency stop.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { DeadLetterQueue, type ErrorReport, MessageBus } from '../src/index.js';
import { Reconnector } from '../src/shared/reconnector.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';
import doubles from './fixtures/doubles.js';
import fillsTheDisk from './fixtures/fills-the-disk.js';
import holdsAConnection from './fixtures/holds-a-connection.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf, startBus, temporaryFolder } from './test-bus.js';

const refused = (): Error => Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
/** So long that a test which waits for it fails. */
const SLOW = { connection_error: { maxRetries: 3, backoffMs: 600_000, jitter: false } };
const QUICK = { connection_error: { maxRetries: 3, backoffMs: 1 } };

const shared = shareBus({ retry: QUICK });

async function until(isThere: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!isThere() && Date.now() < deadline) await new Promise((resume) => setTimeout(resume, 5));
}

describe('a reconnect hook', () => {
  it('on main brings the connection back once for all, and each attempt is repeated at once', async () => {
    const { bus } = shared;
    let isConnected = false;
    const reports: ErrorReport[] = [];
    let failed = 0;
    const handler = async (): Promise<void> => {
      if (isConnected) return;
      failed++;
      throw refused();
    };
    await bus.subscribe('a', handler, {
      subscriberId: 's',
      concurrency: 5,
      retry: SLOW,
      breaker: false,
      reconnect: async (report) => {
        reports.push(report);
        await until(() => failed === 5);
        isConnected = true;
      },
    });
    for (let n = 0; n < 5; n++) bus.publish('a', n);
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 5 });
    expect(reports).toMatchObject([{ category: 'connection_error', context: { topic: 'a' } }]);
    const logged = await shared.reports();
    expect(logged).toHaveLength(5);
    for (const report of logged) {
      const context = { reconnected: true, verdict: 'retry' };
      expect(report).toMatchObject({ recovery_attempted: true, recovery_successful: true, context });
    }
  });

  it('lives with the connection on the worker', async () => {
    const { bus } = shared;
    await bus.subscribe('orders', holdsAConnection, { subscriberId: 's', retry: SLOW });
    expect(await bus.request('orders', 'use')).toBe(0);
    expect(await bus.request('orders', 'break')).toBe(1);
    expect(await bus.request('orders', 'break')).toBe(2);
    expect((await shared.reports())[0]).toMatchObject({ context: { reconnected: true } });
  });

  it('is awaited for an attempt whose function has settled late, but before those beside it', async () => {
    const { bus } = shared;
    const retry = { connection_error: { maxRetries: 0 } };
    const options = { subscriberId: 's', concurrency: 2, graceMs: 30, breaker: false as const, retry };
    await bus.subscribe('orders', holdsAConnection, options);
    bus.publish('orders', 'break late', { key: 'a' });
    await bus.request('orders', 'wait', { key: 'b' });
    await bus.idle();
    expect((await lettersOf(bus)).map(({ failed }) => failed)).toEqual([1]);
    expect(shared.replaced()).toBe(0);
  });

  it('that only says so makes no more retries than there are', async () => {
    const { bus } = shared;
    await bus.subscribe('orders', holdsAConnection, { subscriberId: 's', breaker: false });
    for (let n = 0; n < 20; n++) bus.publish('orders', 'die');
    await bus.idle();
    const letters = await lettersOf(bus);
    expect(letters.map(({ failed, reason }) => [failed, reason])).toEqual(Array(20).fill([4, 'retries_exhausted']));
  });

  it('that throws leaves the retries as they are, and says why in the report, without secrets', async () => {
    const { bus } = shared;
    const handler = (): void => {
      throw refused();
    };
    const reconnect = (): void => {
      throw new Error('denied: token=hunter2');
    };
    await bus.subscribe('a', handler, { subscriberId: 's', breaker: false, reconnect });
    bus.publish('a', 1);
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([{ failed: 4, reason: 'retries_exhausted' }]);
    const [last, ...earlier] = await shared.reports();
    expect(last).toMatchObject({ context: { recovery_error: expect.stringContaining('rests') } });
    for (const report of earlier) {
      const context = { reconnected: false, recovery_error: 'denied: token=[redacted]' };
      expect(report).toMatchObject({ context, recovery_attempted: true });
    }
  });

  it('is called once at a time, given up on after 10 s, and left alone for 10 s after three failures', async () => {
    const clock = new SteppedClock();
    const calls: string[] = [];
    let answer: () => unknown = () => new Promise(() => undefined);
    const reconnector = new Reconnector<string>((failed) => {
      calls.push(failed);
      return answer();
    }, clock);
    const [first, second] = [reconnector.run('a'), reconnector.run('b')];
    clock.step(10_000);
    expect([await first, await second]).toMatchObject([{ isBack: false }, { isBack: false }]);
    expect([calls, clock.timers]).toEqual([['a'], 0]);
    answer = () => false;
    expect(await reconnector.run('c')).toMatchObject({ isBack: false });
    answer = () => Promise.reject(null);
    expect(await reconnector.run('d')).toEqual({ isBack: false, trouble: 'thrown object' });
    answer = () => undefined;
    expect(await reconnector.run('e')).toMatchObject({ isBack: false, trouble: expect.stringContaining('rests') });
    clock.step(10_000);
    expect(await reconnector.run('f')).toEqual({ isBack: true });
    expect(await reconnector.run('g')).toEqual({ isBack: true });
    expect(calls).toEqual(['a', 'c', 'd', 'f', 'g']);
  });
});

describe('a critical failure', () => {
  it('is escalated with its report; a hook that throws is reported, one that hangs holds nobody up', async () => {
    const seen: ErrorReport[] = [];
    const bus = await startBus({
      onCritical: (report) => {
        seen.push(report);
        if (seen.length === 1) throw new Error('the hook’s own');
        return new Promise(() => undefined);
      },
    });
    await bus.subscribe('files', fillsTheDisk, { subscriberId: 's', breaker: false });
    bus.publish('files', 1);
    bus.publish('files', 2);
    await bus.idle();
    expect(seen).toMatchObject([
      { category: 'resource_exhaustion', severity: 'critical', context: { code: 'ENOSPC', topic: 'files' } },
      { severity: 'critical' },
    ]);
    const logged = (await bus.errorLogger?.recentErrors()) ?? [];
    expect(logged.map(({ component }) => component).sort()).toContain('onCritical');
    expect(bus.getHealthStatus().running).toBe(true);
  });

  it('stops the bus when the hook says so, and what waits is kept', async () => {
    const errorLogDir = temporaryFolder();
    const bus = await startBus({ errorLogDir, onCritical: async () => 'stop' });
    const waiting = await bus.subscribe('numbers', doubles, { subscriberId: 'waiting' });
    await bus.subscribe('files', fillsTheDisk, { subscriberId: 's', breaker: false });
    waiting.pause();
    for (let n = 0; n < 20; n++) bus.publish('numbers', n);
    bus.publish('files', 1);
    await until(() => !bus.getHealthStatus().running);
    await bus.stop();
    expect(bus.publish('numbers', 1)).toBe(false);
    expect(bus.getHealthStatus().reasons).toContain('stopped in an emergency: no space left on device');
    expect(accountOf(bus, 'waiting')).toMatchObject({ routed: 20, deadLettered: 20, pending: 0 });
    const queue = new DeadLetterQueue({ storageDir: join(errorLogDir, 'dead_letter') });
    const letters = await queue.getMessages();
    await queue.close();
    expect(letters.filter(({ reason }) => reason === 'shutdown').map(({ message }) => message.payload)).toEqual(
      Array.from({ length: 20 }, (_, n) => n),
    );
  });

  it.each(['onCritical', 'reconnect'])('refuses a hook %s that is no function', async (option) => {
    const options = { [option]: 'x' } as object;
    const refusal = expect.objectContaining({
      code: 'BUSBAR_INVALID_OPTION',
      message: expect.stringContaining(option),
    });
    if (option === 'onCritical') expect(() => new MessageBus(options)).toThrow(refusal);
    else await expect(shared.bus.subscribe('a', doubles, { subscriberId: 's', ...options })).rejects.toEqual(refusal);
  });
});
