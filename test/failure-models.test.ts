// Classifier, retry budget and retry sequences against plain models; what waits for a retry is bounded.

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RetryBudget } from '../src/failure/budget.js';
import { RetrySchedule } from '../src/failure/retries.js';
import { classifyError, type ErrorCategory, ErrorRecoveryManager } from '../src/index.js';
import type { Delivery } from '../src/shared/delivery.js';
import { toErrorRecord } from '../src/shared/error-record.js';
import type { Failure } from '../src/shared/outcome.js';
import { createRedactor } from '../src/shared/redact.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';
import { Trails } from '../src/trails.js';
import { memoryInUse } from './heap.js';

interface Fields {
  readonly name?: string;
  readonly code?: unknown;
  readonly [other: string]: unknown;
}

/** What an error says of itself, and what that means. Null: nothing. */
const SAYINGS: readonly (readonly [Fields, ErrorCategory | null])[] = [
  [{}, null],
  [{ code: 'E_OF_ITS_OWN' }, null],
  [{ code: 42 }, null],
  [{ code: 23 }, null],
  [{ name: 'AbortError' }, null],
  [{ status: 404 }, null],
  [{ code: 'ENOENT', syscall: 'open' }, null],
  [{ code: 'ENOENT', syscall: 'connect' }, 'connection_error'],
  [{ code: 'ECONNRESET' }, 'connection_error'],
  [{ statusCode: 503 }, 'connection_error'],
  [{ name: 'TimeoutError' }, 'timeout_error'],
  [{ code: 'ETIMEDOUT' }, 'timeout_error'],
  [{ code: 'EMFILE' }, 'resource_exhaustion'],
  [{ response: { status: 403 } }, 'authentication_error'],
  [{ code: 'BUSBAR_ENCODING' }, 'serialization_error'],
  [{ code: 'BUSBAR_QUEUE_FULL' }, 'queue_overflow'],
  [{ code: 'BUSBAR_INVALID_OPTION' }, 'configuration_error'],
];

/** Later ones decide. */
const WEIGHTS: readonly (ErrorCategory | null)[] = [
  null,
  'message_processing_error',
  'serialization_error',
  'timeout_error',
  'connection_error',
  'queue_overflow',
  'configuration_error',
  'authentication_error',
  'resource_exhaustion',
];

interface Described {
  readonly error: Error;
  readonly fields: Fields;
  readonly says: ErrorCategory | null;
}

/** An abort says something only together with its cause: that of a timeout is one. 23 is DOMException.TIMEOUT_ERR. */
function saysWith(cause: Fields | undefined, fields: Fields, says: ErrorCategory | null): ErrorCategory | null {
  if (fields.name !== 'AbortError') return says;
  return cause?.name === 'TimeoutError' || cause?.code === 23 ? 'timeout_error' : null;
}

const saying = fc.constantFrom(...SAYINGS);
const single: fc.Arbitrary<Described> = saying.map(([fields, says]) => ({
  error: Object.assign(new Error('x'), fields),
  fields,
  says,
}));
/** A member of several, as `fetch failed` is: what it says, or what its cause does. */
const member = fc.tuple(single, fc.option(single)).map(([outer, cause]) => {
  if (cause !== null) outer.error.cause = cause.error;
  const says = saysWith(cause?.fields, outer.fields, outer.says);
  return { error: outer.error, says: says ?? cause?.says ?? null };
});
const level = fc.tuple(saying, fc.array(member, { maxLength: 4 }));

describe('the classifier', () => {
  it('agrees with a plain model on chains of causes and on errors of several', () => {
    fc.assert(
      fc.property(fc.array(level, { minLength: 1, maxLength: 8, size: 'max' }), (levels) => {
        let error: Error | undefined;
        let expected: ErrorCategory | null = null;
        let inner: Fields | undefined;
        for (const [[fields, says], members] of [...levels].reverse()) {
          const worst = members.map((each) => WEIGHTS.indexOf(each.says)).reduce((a, b) => Math.max(a, b), 0);
          expected = saysWith(inner, fields, says) ?? WEIGHTS[worst] ?? expected;
          inner = fields;
          const errors = members.map((each) => each.error);
          const outer: Error = errors.length === 0 ? new Error('x') : new AggregateError(errors, 'x');
          if (error !== undefined) outer.cause = error;
          error = Object.assign(outer, fields);
        }
        expect(classifyError(error).category).toBe(expected ?? 'message_processing_error');
        expect(classifyError(error, { phase: 'decode' }).category).toBe(expected ?? 'serialization_error');
      }),
      { numRuns: 100 },
    );
  });

  it('never throws, whatever is thrown, and neither does the record', () => {
    const redactor = createRedactor();
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
        (thrown) => {
          expect(WEIGHTS).toContain(classifyError(thrown).category);
          const record = toErrorRecord(thrown, redactor);
          expect(JSON.stringify(record).length).toBeLessThan(100_000);
        },
      ),
    );
  });

  it('reads a hint in seconds, in milliseconds, and as a date', () => {
    const redactor = createRedactor();
    const hint = (fields: object): number | undefined =>
      toErrorRecord(Object.assign(new Error('x'), fields), redactor).retry_after_ms;
    expect(hint({ retryAfter: 2 })).toBe(2000);
    expect(hint({ retryAfterMs: 5 })).toBe(5);
    expect(hint({ response: { headers: new Headers({ 'retry-after': '3' }) } })).toBe(3000);
    const inAMinute = hint({ headers: { 'retry-after': new Date(Date.now() + 60_000).toUTCString() } }) ?? 0;
    expect(Math.abs(inAMinute - 60_000)).toBeLessThan(2000);
    expect(hint({ headers: { 'retry-after': new Date(0).toUTCString() } })).toBe(0);
    expect(hint({ headers: { 'retry-after': 'soon' } })).toBeUndefined();
    expect(hint({ retryAfter: -1 })).toBeUndefined();
  });
});

describe('the retry budget', () => {
  it('agrees with a plain bucket of tokens', () => {
    // Now and then the most that can be saved up is earned, and more than that is asked for.
    const step = fc.oneof(
      { weight: 19, arbitrary: fc.record({ deliveries: fc.nat(5000), ms: fc.nat(5000), retries: fc.nat(50) }) },
      {
        weight: 1,
        arbitrary: fc.record({ deliveries: fc.nat(20_000), ms: fc.nat(1e6), retries: fc.constant(10_050) }),
      },
    );
    const options = fc.record({
      perDelivery: fc.double({ min: 0, max: 2, noNaN: true }),
      perSecond: fc.double({ min: 0.1, max: 1000, noNaN: true }),
    });
    fc.assert(
      fc.property(options, fc.array(step, { maxLength: 40, size: 'max' }), (rates, steps) => {
        const budget = new RetryBudget(0, rates);
        let tokens = 100;
        let largestError = 0;
        let [deliveries, elapsed] = [0, 0];
        for (const { deliveries: more, ms, retries } of steps) {
          deliveries += more;
          elapsed += ms;
          let earned = more * rates.perDelivery + (ms / 1000) * rates.perSecond;
          for (let n = 0; n < retries; n++) {
            tokens = Math.min(10_000, tokens + earned) - 1;
            earned = 0;
            const waitMs = tokens >= 0 ? 0 : (-tokens / rates.perSecond) * 1000;
            const error = Math.abs(budget.take(deliveries, elapsed) - waitMs) / Math.max(1, waitMs);
            largestError = Math.max(largestError, error);
          }
          // What was earned while nobody asked is earned all the same.
          if (retries === 0) tokens += earned;
        }
        expect(largestError).toBeLessThan(1e-6);
      }),
      { numRuns: 8 },
    );
    expect(Array.from({ length: 1000 }, () => new RetryBudget(0, false).take(0, 0)).every((ms) => ms === 0)).toBe(true);
  });
});

describe('a sequence of retries', () => {
  it('starts again when the category changes, and ends when one has used up its own', () => {
    const categories = fc.constantFrom<ErrorCategory>('connection_error', 'timeout_error', 'message_processing_error');
    const most = { connection_error: 3, timeout_error: 2, message_processing_error: 1 } as const;
    fc.assert(
      fc.property(fc.array(categories, { minLength: 1, maxLength: 12, size: 'max' }), (sequence) => {
        const retryConfigs = Object.fromEntries(
          Object.entries(most).map(([category, maxRetries]) => [
            category,
            { maxRetries, backoffMs: 100, jitter: false },
          ]),
        );
        const manager = new ErrorRecoveryManager({ retryConfigs });
        const trails = new Trails();
        const delivery = { number: 1, failed: 0 } as Delivery;
        let inRow = 0;
        for (const [index, category] of sequence.entries()) {
          const failure = { category, signature: 's', error: {} } as Failure;
          inRow = sequence[index - 1] === category ? inRow + 1 : 1;
          delivery.failed++;
          trails.add(delivery, failure, index, index);
          const verdict = manager.decide(trails.factsOf(delivery, failure, index));
          if (inRow > most[category as keyof typeof most]) {
            expect(verdict).toEqual({ kind: 'dead-letter', reason: 'retries_exhausted' });
            return;
          }
          expect(verdict).toEqual({ kind: 'retry', delayMs: 100 * 2 ** (inRow - 1) });
        }
        const counts = trails.historyOf(delivery)?.reduce((sum, { count }) => sum + count, 0);
        expect(counts).toBe(sequence.length);
      }),
    );
  });
});

function deliveryOf(number: number): Delivery {
  return {
    number,
    id: '',
    topic: 'a',
    key: null,
    priority: 'normal',
    headers: null,
    publishedAt: 0,
    expiresAt: 0,
    codec: 17,
    lossy: false,
    wantsReply: false,
    bytes: new Uint8Array(64),
    started: 1,
    failed: 1,
    kills: 0,
    timeouts: 0,
  };
}

/** Bytes in use once all that can be freed is. */
function held(): number {
  const { heap, buffers } = memoryInUse();
  return heap + buffers;
}

describe('deliveries that wait for their retry', () => {
  it('are 20 000 with one timer and less than a kilobyte each, all told', () => {
    const clock = new SteppedClock();
    const trails = new Trails();
    let given = 0;
    const schedule = new RetrySchedule<Delivery>(clock, () => given++);
    const before = held();
    const failure = { category: 'connection_error', signature: 'v1:0123456789ab', error: {} } as Failure;
    for (let number = 0; number < 20_000; number++) {
      const delivery = deliveryOf(number);
      trails.add(delivery, failure, 0, 0);
      schedule.add(delivery, 1000 * (1 + ((number * 7919) % 60)));
    }
    expect(held() - before).toBeLessThan(20_000 * 1024);
    expect(clock.timers).toBe(1);
    clock.step(61_000);
    expect([given, schedule.size]).toEqual([20_000, 0]);
  });
});
