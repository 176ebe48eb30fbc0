// Backoff, recovery, classification and listeners at their edges: endless runs, late hints, hostile throws.
import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../src/failure/backoff.js';
import { RetryBudget } from '../src/failure/budget.js';
import { CircuitBreaker, classifyError, ErrorCategory, ErrorRecoveryManager, type ErrorReport } from '../src/index.js';
import type { HandlerRule } from '../src/shared/handler.js';

const { CONNECTION_ERROR, TIMEOUT_ERROR } = ErrorCategory;
const coded = (code: string): Error => Object.assign(new Error(code), { code });

describe('backoff', () => {
  it('is a finite time within its cap, however long the run of failures', () => {
    const config = fc.record({
      maxRetries: fc.nat(),
      backoffMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e9, noNaN: true })),
      factor: fc.double({ min: 1, max: 1e6, noNaN: true }),
      maxBackoffMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    });
    fc.assert(
      fc.property(config, fc.integer({ min: 1, max: 1_000_000 }), (c, failures) => {
        const waitMs = backoffMs(c, failures, () => 1);
        expect(waitMs).toBeGreaterThanOrEqual(0);
        expect(waitMs).toBeLessThanOrEqual(c.maxBackoffMs);
      }),
    );
    expect(backoffMs({ maxRetries: 1e6, backoffMs: 0 }, 1100, () => 1)).toBe(0);
  });
});

describe('recovery', () => {
  const capped = { timeout_error: { maxRetries: 3, backoffMs: 5, maxElapsedMs: 1000, jitter: false } };

  it.each([
    ['a wait that ends within the whole time', { elapsedMs: 995 }, { kind: 'retry', delayMs: 5 }],
    ['a wait that ends after it', { elapsedMs: 996 }, { kind: 'dead-letter', reason: 'retries_exhausted' }],
    [
      'a hint beyond it',
      { elapsedMs: 0, retryAfterMs: 86_400_000 },
      { kind: 'dead-letter', reason: 'retries_exhausted' },
    ],
  ])('decides about %s', (_name, facts, verdict) => {
    const manager = new ErrorRecoveryManager();
    expect(manager.decide({ category: TIMEOUT_ERROR, failedInRow: 1, ...facts }, capped)).toEqual(verdict);
  });

  it('follows a hint up to the longest wait that was asked for', () => {
    const facts = { category: TIMEOUT_ERROR, failedInRow: 1, elapsedMs: 0, retryAfterMs: 90_000 } as const;
    const config = { maxRetries: 1, backoffMs: 5 };
    const manager = new ErrorRecoveryManager();
    expect(manager.decide(facts, { timeout_error: config })).toEqual({ kind: 'retry', delayMs: 90_000 });
    const verdict = manager.decide(facts, { timeout_error: { ...config, maxBackoffMs: 500 } });
    expect(verdict).toEqual({ kind: 'retry', delayMs: 500 });
  });

  it.each(['retryConfigs', 'recoveryStrategies'])('refuses a misspelt category in %s', (option) => {
    expect(() => new ErrorRecoveryManager({ [option]: { timeout: { maxRetries: 1, backoffMs: 1 } } })).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION', message: expect.stringContaining('"timeout"') }),
    );
  });

  it.each<[string, () => unknown]>([
    ['an error whose message is a number', () => Object.assign(new Error('x'), { message: 5 })],
    ['null', () => null],
    [
      'a Proxy whose traps throw',
      () =>
        new Proxy(
          {},
          {
            get: () => {
              throw new Error('trap');
            },
            getPrototypeOf: () => {
              throw new Error('trap');
            },
          },
        ),
    ],
  ])('never rejects, though a strategy throws %s', async (_name, make) => {
    const manager = new ErrorRecoveryManager();
    manager.recoveryStrategies[TIMEOUT_ERROR] = () => {
      throw make();
    };
    const report = { category: TIMEOUT_ERROR, context: {} } as ErrorReport;
    expect(await manager.attemptRecovery(report)).toBe(false);
    expect(report).toMatchObject({ recovery_attempted: true, recovery_successful: false });
    expect(report.context['recovery_error']).toMatch(/^thrown object$/);
  });

  it('writes down why a strategy failed, without its secrets', async () => {
    const manager = new ErrorRecoveryManager();
    manager.recoveryStrategies[TIMEOUT_ERROR] = () => Promise.reject(new Error('no: password=hunter2'));
    const report = { category: TIMEOUT_ERROR, context: {} } as ErrorReport;
    await manager.attemptRecovery(report);
    expect(report.context['recovery_error']).toBe('no: password=[redacted]');
  });
});

describe('the retry budget', () => {
  it('makes nobody wait while retries stay within a fifth of the deliveries', () => {
    const step = fc.record({ deliveries: fc.integer({ min: 5, max: 1000 }), ms: fc.nat(1000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
        const budget = new RetryBudget(0);
        let [deliveries, elapsed] = [0, 0];
        for (const { deliveries: more, ms } of steps) {
          deliveries += more;
          elapsed += ms;
          const waits = Array.from({ length: Math.floor(more / 5) }, () => budget.take(deliveries, elapsed));
          expect(Math.max(...waits)).toBe(0);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('spreads a storm over ten retries a second, and refuses none', () => {
    const budget = new RetryBudget(0);
    const waits = Array.from({ length: 1100 }, () => budget.take(0, 0));
    expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(100);
    expect(waits.slice(100).every((waitMs, n) => Math.abs(waitMs - (n + 1) * 100) < 1e-6)).toBe(true);
  });
});

describe('classification', () => {
  it('looks into the causes of several errors at once', () => {
    const failed = new TypeError('fetch failed', { cause: coded('ECONNREFUSED') });
    expect(classifyError(new AggregateError([failed, new Error('x')])).category).toBe(CONNECTION_ERROR);
  });

  it.each<[string, unknown]>([
    ['no condition', {}],
    ['a category that is none', { when: {}, category: 'nope' }],
    ['an inherited name as its category', { when: {}, category: 'constructor' }],
    [
      'a condition that throws',
      {
        get when() {
          throw new Error('x');
        },
      },
    ],
    ['nothing', null],
  ])('passes over a rule with %s', (_name, rule) => {
    expect(classifyError(coded('ECONNRESET'), { rules: [rule as HandlerRule] })).toEqual({
      category: 'connection_error',
      severity: 'high',
    });
  });

  it('says the same of a record of the error as of the error', async () => {
    const { toErrorRecord } = await import('../src/shared/error-record.js');
    const { createRedactor } = await import('../src/shared/redact.js');
    const errors = [
      new Error('x'),
      coded('ETIMEDOUT'),
      new TypeError('fetch failed', { cause: coded('ENOTFOUND') }),
      Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'connect' }),
      Object.assign(new Error('x'), { response: { status: 401 } }),
      new AggregateError([coded('EMFILE')]),
      new RangeError('Array buffer allocation failed'),
      new DOMException('late', 'TimeoutError'),
    ];
    for (const error of errors) {
      expect(classifyError(toErrorRecord(error, createRedactor()))).toEqual(classifyError(error));
    }
  });
});

describe('a listener that throws', () => {
  it('changes neither the result of the call nor what other listeners hear', async () => {
    const breaker = new CircuitBreaker({ name: 'db', failureThreshold: 1 });
    const heard: string[] = [];
    breaker.on('stateChange', () => {
      throw new Error('a listener’s own');
    });
    breaker.on('stateChange', (state) => heard.push(state));
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const fails = () => breaker.execute(() => Promise.reject(new Error('down')));
    await expect(fails()).rejects.toThrow('down');
    expect(heard).toEqual(['open']);
    expect(String(warn.mock.calls[0]?.[0])).toContain('a listener’s own');
    warn.mockRestore();
  });
});
