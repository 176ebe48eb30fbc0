// Stepped time: in order, and the same for the main thread, the lane workers and the breakers between them.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { timerAt } from '../src/shared/clock.js';
import { FollowingClock } from '../src/shared/stepped-time.js';
import { SteppedClock } from '../src/testing/index.js';
import heeds from './fixtures/heeds-its-signal.js';
import misbehaves from './fixtures/misbehaves.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf, linesOf, temporaryFolder } from './test-bus.js';

describe('a stepped clock', () => {
  it('fires timers in the order in which they are due, each at its time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(500), { maxLength: 50, size: 'max' }),
        fc.array(fc.nat(200), { maxLength: 10, size: 'max' }),
        (delays, steps) => {
          const clock = new SteppedClock();
          const fired: [number, number][] = [];
          for (const [n, delay] of delays.entries()) clock.after(delay, () => fired.push([clock.elapsed(), n]));
          for (const ms of steps) clock.step(ms);
          const end = steps.reduce((sum, ms) => sum + ms, 0);
          const due = [...delays.entries()].filter(([, delay]) => delay <= end && (delay > 0 || steps.length > 0));
          expect(fired).toEqual(due.sort(([a, x], [b, y]) => x - y || a - b).map(([n, delay]) => [delay, n]));
          expect([clock.elapsed(), clock.timers]).toEqual([end, delays.length - due.length]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('repeats, forgets what was cancelled, and lets timers make timers', () => {
    const clock = new SteppedClock({ startAt: 1000 });
    const fired: string[] = [];
    const every = clock.every(100, () => fired.push(`every ${clock.now()}`));
    clock.after(150, () => clock.after(20, () => fired.push(`after ${clock.now()}`)));
    clock.after(160, () => fired.push('never')).cancel();
    expect(clock.untilNext).toBe(150);
    clock.step(200);
    expect(fired).toEqual(['every 1100', 'after 1170', 'every 1200']);
    every.cancel();
    clock.step(1000);
    expect(fired).toHaveLength(3);
    expect([clock.now(), clock.untilNext]).toEqual([2200, undefined]);
  });

  it('refuses to go back, and to be stepped by its own timers', () => {
    const clock = new SteppedClock();
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => clock.step(ms)).toThrow(expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }));
    clock.after(5, () => clock.step(5));
    expect(() => clock.step(10)).toThrow('may not step');
    expect(clock.elapsed()).toBe(5);
    clock.step(5);
    expect(clock.elapsed()).toBe(10);
    expect(() => new SteppedClock({ startAt: Number.NaN })).toThrow('startAt');
  });

  it('keeps a point in time though another thread steps between a look and a timer', async () => {
    const clock = new SteppedClock();
    const other = new FollowingClock(clock.memory);
    const look = other.elapsed;
    // Whoever looks at the clock has it stepped behind their back, once.
    other.elapsed = () => {
      other.elapsed = look;
      const now = look();
      clock.step(99);
      return now;
    };
    let hasFired = false;
    const fired = new Promise<void>((resume) => timerAt(other, 100, resume)).then(() => {
      hasFired = true;
    });
    await new Promise((resume) => setImmediate(resume));
    expect(hasFired).toBe(false);
    clock.step(1);
    await fired;
    expect(other.elapsed()).toBe(100);
  });

  it('is followed through its memory', async () => {
    const clock = new SteppedClock();
    const other = new FollowingClock(clock.memory);
    const fired: string[] = [];
    clock.step(0.25);
    expect([other.elapsed(), other.now()]).toEqual([0.25, clock.now()]);
    const late = new Promise<void>((resume) => other.after(20, resume)).then(() => fired.push('late'));
    const soon = new Promise<void>((resume) => other.after(10, resume)).then(() => fired.push('soon'));
    clock.step(10);
    await soon;
    expect(fired).toEqual(['soon']);
    clock.step(10);
    await late;
    expect(other.timers).toBe(0);
  });
});

const NEVER = { timeout_error: { maxRetries: 0, backoffMs: 0 } };

describe('a bus with a stepped clock', () => {
  const clock = new SteppedClock();
  const shared = shareBus({ clock, retry: {} });

  async function running({ bus } = shared): Promise<void> {
    while (bus.getHealthStatus().subscriptions[0]?.inFlight !== 1) await new Promise((resume) => setImmediate(resume));
  }

  it('aborts the signal of a handler on a worker at its deadline, and not before', async () => {
    const { bus } = shared;
    await bus.subscribe('a', heeds, { subscriberId: 's', timeoutMs: 60_000, retry: NEVER });
    const reply = bus.request('a', 'x', { timeoutMs: 90_000 });
    await running();
    clock.step(59_999);
    await new Promise((resume) => setImmediate(resume));
    expect(accountOf(bus, 's').pending).toBe(1);
    clock.step(1);
    await expect(reply).rejects.toThrow('TimeoutError: handler ran past 60000 ms');
  });

  it('ends a thread that loops past deadline and grace, retries later, and gives up', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const retry = { timeout_error: { maxRetries: 1, backoffMs: 3_600_000, jitter: false, maxBackoffMs: 3_600_000 } };
    await bus.subscribe('a', misbehaves, { subscriberId: 's', timeoutMs: 30_000, adaptiveTimeout: false, retry });
    bus.publish('a', { n: 1, ledger, deed: 'loop' });
    // Not just called: its thread is ended as soon as time has passed, and it is to have written its line by then.
    const hasBegun = async (times: number): Promise<void> => {
      while (linesOf(ledger).length < times) await new Promise((resume) => setImmediate(resume));
    };
    await hasBegun(1);
    clock.step(31_100);
    while (bus.getHealthStatus().subscriptions[0]?.retrying !== 1) await new Promise((resume) => setImmediate(resume));
    expect(linesOf(ledger)).toEqual(['start 1 1']);
    clock.step(3_600_000);
    await hasBegun(2);
    // After a timeout the next attempt has half as much time again.
    clock.step(46_100);
    await bus.idle();
    expect(linesOf(ledger)).toEqual(['start 1 1', 'start 1 2']);
    const [letter] = await lettersOf(bus);
    expect(letter).toMatchObject({ reason: 'retries_exhausted', error_category: 'timeout_error', failed: 2 });
    expect(letter?.timestamp).toBe(clock.now() / 1000);
  });

  it('lets a message expire behind another one', async () => {
    const { bus } = shared;
    await bus.subscribe('a', heeds, { subscriberId: 's', timeoutMs: 10_000, retry: NEVER });
    bus.publish('a', 'x');
    await running();
    bus.publish('a', 'y', { ttlMs: 5_000 });
    clock.step(10_000);
    await bus.idle();
    expect(accountOf(bus, 's')).toEqual({ routed: 2, succeeded: 0, deadLettered: 1, dropped: 1, pending: 0 });
  });

  it('lets the breaker that workers share try again when its time has come', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const once = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };
    const breaker = { failureThreshold: 2, recoveryTimeoutMs: 60_000 };
    await bus.subscribe('a', misbehaves, { subscriberId: 's', retry: once, breaker });
    for (let n = 0; n < 2; n++) bus.publish('a', { n, ledger, deed: 'throw' });
    bus.publish('a', { n: 2, ledger });
    while (bus.getHealthStatus().subscriptions[0]?.held !== true) await new Promise((resume) => setImmediate(resume));
    clock.step(59_999);
    expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ 'a#s': 'open' });
    clock.step(1);
    await bus.idle();
    expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ 'a#s': 'closed' });
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 1, deadLettered: 2 });
  });
});
