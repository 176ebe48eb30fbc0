// What recovery decides: how often, after how long, and when a user's own strategy has the word.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../src/failure/backoff.js';
import { RetryBudget } from '../src/failure/budget.js';
import { RetrySchedule } from '../src/failure/retries.js';
import { ErrorCategory, ErrorRecoveryManager, type ErrorReport } from '../src/index.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';

function reportOf(category: ErrorCategory): ErrorReport {
  return {
    error_id: 'e',
    timestamp: 0,
    category,
    severity: 'medium',
    component: 'test',
    message: 'm',
    exception_type: 'Error',
    traceback: null,
    context: {},
    recovery_attempted: false,
    recovery_successful: false,
    retry_count: 0,
  };
}

describe('backoff', () => {
  it('grows by its factor up to its cap, with full jitter below it', () => {
    const config = fc.record({
      maxRetries: fc.nat(10),
      backoffMs: fc.integer({ min: 0, max: 10_000 }),
      factor: fc.double({ min: 1, max: 4, noNaN: true }),
      maxBackoffMs: fc.integer({ min: 0, max: 100_000 }),
    });
    const random = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(config, fc.integer({ min: 1, max: 50 }), random, (c, failures, r) => {
        const exact = Math.min(c.maxBackoffMs, c.backoffMs * c.factor ** (failures - 1));
        expect(backoffMs({ ...c, jitter: false }, failures, () => r)).toBe(exact);
        expect(backoffMs(c, failures, () => r)).toBe(exact * r);
      }),
    );
  });
});

describe('recovery', () => {
  const manager = new ErrorRecoveryManager({ random: () => 1 });

  it.each<[ErrorCategory, number, number]>([
    ['connection_error', 3, 2000],
    ['message_processing_error', 2, 1000],
    ['serialization_error', 1, 500],
    ['timeout_error', 2, 1500],
    ['queue_overflow', 0, 0],
    ['resource_exhaustion', 0, 0],
    ['authentication_error', 0, 0],
    ['configuration_error', 0, 0],
  ])('retries %s %d times from %d ms on', (category, retries, firstMs) => {
    const verdicts = Array.from({ length: retries + 1 }, (_, n) =>
      manager.decide({ category, failedInRow: n + 1, elapsedMs: 0 }),
    );
    const waits = Array.from({ length: retries }, (_, n) => ({ kind: 'retry', delayMs: firstMs * 2 ** n }));
    const reason = retries === 0 ? 'not_retryable' : 'retries_exhausted';
    expect(verdicts).toEqual([...waits, { kind: 'dead-letter', reason }]);
  });

  it('takes what is left out from the category, and of a subscription from the bus', () => {
    const own = new ErrorRecoveryManager({ random: () => 1, retryConfigs: { connection_error: { maxRetries: 5 } } });
    const facts = { category: ErrorCategory.CONNECTION_ERROR, failedInRow: 5, elapsedMs: 0 };
    expect(own.retryConfigs.connection_error).toEqual({ maxRetries: 5, backoffMs: 2000 });
    expect(own.decide(facts)).toEqual({ kind: 'retry', delayMs: 30_000 });
    const overrides = { connection_error: { backoffMs: 1 } };
    expect(own.decide(facts, overrides)).toEqual({ kind: 'retry', delayMs: 16 });
    Object.assign(own.retryConfigs, { connection_error: { backoffMs: 3 } });
    expect(own.decide({ ...facts, failedInRow: 3 })).toEqual({ kind: 'retry', delayMs: 12 });
    expect(own.decide(facts)).toEqual({ kind: 'dead-letter', reason: 'retries_exhausted' });
  });

  it('tells failures for which there are no retries from those that are none to retry', () => {
    const none = { message_processing_error: { maxRetries: 0 }, authentication_error: { maxRetries: 1 } };
    const facts = { failedInRow: 1, elapsedMs: 0 };
    const decide = (category: ErrorCategory) => manager.decide({ ...facts, category }, none);
    expect(decide('message_processing_error')).toEqual({ kind: 'dead-letter', reason: 'retries_exhausted' });
    expect(decide('configuration_error')).toEqual({ kind: 'dead-letter', reason: 'not_retryable' });
    expect(decide('authentication_error')).toEqual({ kind: 'retry', delayMs: 1000 });
  });

  it('heeds a hint, a cap on the whole time, and what a subscription says', () => {
    const facts = { category: ErrorCategory.CONNECTION_ERROR, failedInRow: 1, elapsedMs: 0 };
    expect(manager.decide({ ...facts, retryAfterMs: 77 })).toEqual({ kind: 'retry', delayMs: 77 });
    const overrides = { connection_error: { maxRetries: 9, backoffMs: 5, maxElapsedMs: 100 } };
    expect(manager.decide(facts, overrides)).toEqual({ kind: 'retry', delayMs: 5 });
    expect(manager.decide({ ...facts, elapsedMs: 101 }, overrides)).toEqual({
      kind: 'dead-letter',
      reason: 'retries_exhausted',
    });
  });

  it('may be configured at any time, and refuses nonsense when it is used', () => {
    const own = new ErrorRecoveryManager({ random: () => 1 });
    own.retryConfigs[ErrorCategory.CONNECTION_ERROR] = { maxRetries: 5, backoffMs: 3000 };
    const facts = { category: ErrorCategory.CONNECTION_ERROR, failedInRow: 5, elapsedMs: 0 };
    expect(own.decide(facts)).toEqual({ kind: 'retry', delayMs: 30_000 });
    own.retryConfigs[ErrorCategory.CONNECTION_ERROR] = { maxRetries: -1, backoffMs: 0 };
    expect(() => own.decide(facts)).toThrow(expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }));
    expect(
      () => new ErrorRecoveryManager({ retryConfigs: { timeout_error: { maxRetries: 1.5, backoffMs: 0 } } }),
    ).toThrow('maxRetries');
  });

  it('lets a strategy decide by what it returns, and writes down what came of it', async () => {
    const own = new ErrorRecoveryManager();
    const report = reportOf('timeout_error');
    expect(await own.attemptRecovery(report)).toBe(false);
    expect(report.recovery_attempted).toBe(false);
    expect(await own.attemptRecovery(undefined as unknown as ErrorReport)).toBe(false);
    own.recoveryStrategies[ErrorCategory.TIMEOUT_ERROR] = async (_report, context) => context['attempt'] === 1;
    expect(await own.attemptRecovery(report, { attempt: 1 })).toBe(true);
    expect(report).toMatchObject({ recovery_attempted: true, recovery_successful: true });
    expect(await own.attemptRecovery(report, { attempt: 2 })).toBe(false);
    expect(report).toMatchObject({ recovery_attempted: true, recovery_successful: false });
  });

  it('contains a strategy that throws, lies or hangs', async () => {
    const clock = new SteppedClock();
    const own = new ErrorRecoveryManager({ clock });
    const strategies: (() => unknown)[] = [
      () => {
        throw new Error('broken');
      },
      () => Promise.reject(new Error('broken')),
      () => 'yes',
      () => undefined,
    ];
    for (const strategy of strategies) {
      own.recoveryStrategies[ErrorCategory.TIMEOUT_ERROR] = strategy as () => boolean;
      expect(await own.attemptRecovery(reportOf('timeout_error'))).toBe(false);
    }
    own.recoveryStrategies[ErrorCategory.TIMEOUT_ERROR] = () => new Promise(() => undefined);
    const hung = own.attemptRecovery(reportOf('timeout_error'));
    clock.step(10_000);
    expect(await hung).toBe(false);
    expect(clock.timers).toBe(0);
  });
});

describe('the retry budget', () => {
  it('lets a fifth of the deliveries and ten a second through, and makes the rest wait their turn', () => {
    const budget = new RetryBudget(0);
    const atOnce = Array.from({ length: 300 }, () => budget.take(1000, 0)).filter((waitMs) => waitMs === 0).length;
    expect(atOnce).toBe(100 + 200);
    expect(budget.take(1000, 0)).toBeCloseTo(100);
    expect(budget.take(1000, 0)).toBeCloseTo(200);
    expect(budget.take(1000, 1000)).toBe(0);
  });
});

describe('the schedule of retries', () => {
  it('gives each back when it is due, in order, with one timer for all', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 200, size: 'max' }), (delays) => {
        const clock = new SteppedClock();
        const given: [number, number][] = [];
        const schedule = new RetrySchedule<number>(clock, (item) => given.push([clock.elapsed(), item]));
        const timers = new Set<number>();
        for (const [index, delay] of delays.entries()) {
          schedule.add(index, delay);
          timers.add(clock.timers);
        }
        expect([...timers]).toEqual(delays.length > 0 ? [1] : []);
        clock.step(1000);
        const expected = [...delays.entries()]
          .sort(([a, x], [b, y]) => x - y || a - b)
          .map(([index, delay]) => [delay, index]);
        expect(given).toEqual(expected);
        expect([schedule.size, clock.timers]).toEqual([0, 0]);
      }),
      { numRuns: 25 },
    );
  });

  it('gives out those that are asked for, and keeps the others', () => {
    const clock = new SteppedClock();
    const given: number[] = [];
    const schedule = new RetrySchedule<number>(clock, (item) => given.push(item));
    for (let n = 0; n < 10; n++) schedule.add(n, 100 - n);
    expect(schedule.takeWhere((n) => n % 2 === 0).sort()).toEqual([0, 2, 4, 6, 8]);
    clock.step(100);
    expect(given).toEqual([9, 7, 5, 3, 1]);
  });

  it('holds 100 000 in bounded memory', () => {
    const schedule = new RetrySchedule<number>(new SteppedClock(), () => undefined);
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 100_000; n++) schedule.add(n, (n * 7919) % 100_000);
    expect(schedule.size).toBe(100_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(30e6);
  });
});
