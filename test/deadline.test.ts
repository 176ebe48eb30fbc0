// Deadlines adapt: each timeout gives the next attempt more time, and what handlers take may set the time for all.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type DeadlineRule, timeoutAfter } from '../src/shared/deadline.js';
import { Patience } from '../src/threads/patience.js';
import misbehaves from './fixtures/misbehaves.js';
import tellsItsDeadline, { tellDeadline } from './fixtures/tells-its-deadline.js';
import { shareBus } from './shared-bus.js';
import { fixture, lettersOf, temporaryFolder } from './test-bus.js';

const RETRY = { timeout_error: { maxRetries: 5, backoffMs: 0 } };
const shared = shareBus({ retry: RETRY });
const rule = (timeoutMs: number, more: Partial<DeadlineRule> = {}): DeadlineRule => ({
  timeoutMs,
  maxTimeoutMs: 4 * timeoutMs,
  minTimeoutMs: timeoutMs / 10,
  isObserved: false,
  ...more,
});

describe('a deadline', () => {
  it('grows by half with each timeout, never beyond its ceiling, never below its base', () => {
    const base = fc.double({ min: 1, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(base, fc.nat(255), fc.double({ min: 1, max: 100, noNaN: true }), (timeoutMs, timeouts, times) => {
        const most = timeoutMs * times;
        let expected = timeoutMs;
        for (let n = 0; n < timeouts && expected < most; n++) expected *= 1.5;
        const actual = timeoutAfter(timeoutMs, timeouts, rule(timeoutMs, { maxTimeoutMs: most }));
        expect(actual).toBeCloseTo(Math.min(expected, most), -Math.floor(Math.log10(timeoutMs)) + 6);
        expect(actual).toBeGreaterThanOrEqual(timeoutMs);
      }),
    );
  });

  it.each([
    ['a worker', tellsItsDeadline],
    ['the main thread', tellDeadline],
  ])('reaches the handler on %s with each attempt', async (_where, handler) => {
    const { bus } = shared;
    const options = { breaker: false as const, timeoutMs: 10_000 };
    await bus.subscribe('grows', handler as typeof tellsItsDeadline, { subscriberId: 's', ...options });
    await bus.subscribe('stays', handler as typeof tellsItsDeadline, {
      subscriberId: 's',
      ...options,
      adaptiveTimeout: false,
    });
    const grown = await Promise.all([0, 1, 2, 5].map((timeouts) => bus.request<number>('grows', timeouts)));
    for (const [index, expected] of [10_000, 15_000, 22_500, 40_000].entries()) {
      expect(grown[index]).toBeGreaterThan(expected - 1000);
      expect(grown[index]).toBeLessThan(expected + 5);
    }
    expect(await bus.request<number>('stays', 3)).toBeLessThan(10_005);
  });

  it('that has grown is the one after which the thread is ended', async () => {
    const { bus } = shared;
    const retry = { timeout_error: { maxRetries: 1, backoffMs: 0 } };
    await bus.subscribe('deeds', misbehaves, { subscriberId: 's', breaker: false, timeoutMs: 100, graceMs: 20, retry });
    bus.publish('deeds', { n: 1, ledger: `${temporaryFolder()}/ledger`, deed: 'loop' });
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([
      { failed: 2, error: { message: expect.stringMatching(/past 150 ms/) } },
    ]);
  });

  it.each<unknown>([
    true,
    null,
    { maxTimeoutMs: 99 },
    { observed: 1 },
    { minTimeoutMs: 0 },
    { minTimeoutMs: 401 },
    { p99: true },
  ])('is not to adapt by %j', async (adaptiveTimeout) => {
    const { bus } = shared;
    const options = { subscriberId: 's', timeoutMs: 100, adaptiveTimeout } as { subscriberId: string };
    await expect(bus.subscribe('a', tellsItsDeadline, options)).rejects.toMatchObject({
      code: 'BUSBAR_INVALID_OPTION',
      message: expect.stringContaining('adaptiveTimeout'),
    });
  });
});

describe('an observed deadline', () => {
  const observed = (more: Partial<DeadlineRule> = {}): Patience =>
    new Patience(rule(1000, { isObserved: true, minTimeoutMs: 20, ...more }), 100);

  it('is three times the 99th percentile of a hundred attempts or more, within its bounds', () => {
    const patience = observed();
    for (let n = 0; n < 99; n++) patience.add(10);
    patience.fit(5000);
    expect(patience.timeoutMs(0)).toBe(1000);
    patience.add(10);
    patience.fit(5001);
    expect(patience.timeoutMs(0)).toBe(31);
    expect(patience.timeoutMs(1)).toBe(46.5);
    expect([patience.isOver(130, 0), patience.isOver(132, 0)]).toEqual([false, true]);
    for (let n = 0; n < 200; n++) patience.add(9000);
    patience.fit(5002);
    expect(patience.timeoutMs(0)).toBe(31);
    patience.fit(6001);
    expect(patience.timeoutMs(0)).toBe(4000);
  });

  it('forgets how handlers were long ago', () => {
    const patience = observed();
    for (let n = 0; n < 10_001; n++) patience.add(1);
    patience.fit(1000);
    expect(patience.timeoutMs(0)).toBe(20);
    for (let n = 0; n < 100; n++) patience.add(100);
    patience.fit(2000);
    expect(patience.timeoutMs(0)).toBeCloseTo(300, -1);
  });

  it('is fitted to what the handler takes on its thread, and told to it', async () => {
    const { bus } = shared;
    await bus.subscribe('quick', tellsItsDeadline, {
      subscriberId: 's',
      timeoutMs: 60_000,
      adaptiveTimeout: { observed: true, minTimeoutMs: 5000 },
    });
    const deadline = Date.now() + 5000;
    let remaining = Number.POSITIVE_INFINITY;
    while (remaining > 6000 && Date.now() < deadline) {
      await Promise.all(Array.from({ length: 50 }, () => bus.request('quick', 0)));
      await new Promise((resume) => setTimeout(resume, 10));
      bus.publish('quick', 0);
      remaining = await bus.request<number>('quick', 0);
    }
    expect(remaining).toBeLessThan(5005);
    expect(remaining).toBeGreaterThan(4000);
  });
});

describe('a process that was stopped for longer than its handlers may take', () => {
  it('charges none of them for that, on threads or on main, nor a set-up, and runs none again', async () => {
    const child = fork(fileURLToPath(fixture('stands-still')));
    await once(child, 'message');
    child.kill('SIGSTOP');
    await new Promise((resume) => setTimeout(resume, 2000));
    child.kill('SIGCONT');
    child.send('go on');
    const [told] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
    expect(told).toEqual({ succeeded: [1, 4, 1, 0], replaced: 0, reports: [] });
    await once(child, 'exit');
  });
});
