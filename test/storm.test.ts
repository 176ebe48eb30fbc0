// A storm of failures: each is counted and settled for itself, though few are described and written in full.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ErrorCategory, type ErrorRecoveryManager, type ErrorReport, MessageBus } from '../src/index.js';
import { Repeats } from '../src/observe/repeats.js';
import { FamiliarFailures } from '../src/shared/familiar.js';
import throwsItsNumber from './fixtures/throws-its-number.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf, linesOf, startBus, temporaryFolder } from './test-bus.js';

const ONCE = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };
const shared = shareBus({ retryBudget: false, retry: ONCE });
const coded = (code: string, more: object = {}): Error => Object.assign(new Error('x'), { code, ...more });

describe('a storm of failures', () => {
  it('loses no count and no letter, keeps each its own message, and writes the first ones in full', async () => {
    const errorLogDir = temporaryFolder();
    const bus = await startBus({ errorLogDir });
    await bus.subscribe('numbers', throwsItsNumber, { subscriberId: 's', breaker: false, retry: ONCE });
    const count = 300;
    for (let n = 0; n < count; n++) bus.publish('numbers', n);
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ routed: count, deadLettered: count, pending: 0 });
    expect(bus.getHealthStatus().errorStatistics).toMatchObject({ totalErrors: count });
    const letters = await lettersOf(bus);
    const messages = letters.map(({ error, message }) => [error.message, message.payload]);
    expect(messages).toEqual(Array.from({ length: count }, (_, n) => [`no room for ${n}, token=[redacted]`, n]));
    expect(new Set(letters.map(({ signature, error }) => `${signature} ${error.name} ${error.code}`)).size).toBe(1);
    expect(await bus.errorLogger?.getErrorStatistics()).toMatchObject({ totalErrors: count });
    await bus.stop();
    const lines = linesOf(join(errorLogDir, 'message_bus_errors.json')).map((line) => JSON.parse(line) as ErrorReport);
    const rolledUp = lines.map(({ context }) => (context['rollup'] as { count: number } | undefined)?.count ?? 0);
    expect(rolledUp.filter((repeats) => repeats === 0)).toHaveLength(10);
    expect(rolledUp.reduce((sum, repeats) => sum + repeats, 10)).toBe(count);
    expect(lines[0]).toMatchObject({ context: { message: '0', topic: 'numbers' } });
    expect(lines[0]?.traceback).toContain('throws-its-number');
  });

  it('ends in the bin where exhausted retries are to be discarded', async () => {
    const { bus } = shared;
    const errors = (): number => bus.getHealthStatus().errorStatistics?.totalErrors ?? 0;
    const before = errors();
    await bus.subscribe('numbers', throwsItsNumber, {
      subscriberId: 's',
      breaker: false,
      retry: { message_processing_error: { maxRetries: 3, backoffMs: 0 } },
      whenExhausted: 'discard',
    });
    for (let n = 0; n < 40; n++) bus.publish('numbers', n);
    await bus.idle();
    expect(accountOf(bus, 's')).toEqual({ routed: 40, succeeded: 0, deadLettered: 0, dropped: 40, pending: 0 });
    expect(errors() - before).toBe(160);
    expect(await lettersOf(bus)).toEqual([]);
  });
});

describe('a familiar failure', () => {
  it('is one of a kind of which ten were seen in the last second', () => {
    const familiar = new FamiliarFailures(false);
    const seen = (now: number): boolean | undefined =>
      familiar.recognize(new Error(`at ${now}`), 'handler', now)?.isFamiliar;
    expect(Array.from({ length: 12 }, (_, n) => seen(n))).toEqual([...Array(10).fill(false), true, true]);
    expect([seen(1000), seen(1001)]).toEqual([true, false]);
  });

  it('is of another kind when class, code, phase, status or words differ', () => {
    const familiar = new FamiliarFailures(false);
    const slot = (thrown: unknown, phase: 'handler' | 'decode' = 'handler') =>
      familiar.recognize(thrown, phase, 0)?.slot;
    const slots = [
      slot(new Error('a 1')),
      slot(new TypeError('a 1')),
      slot(new Error('b 1')),
      slot(new Error('a 1'), 'decode'),
      slot(coded('A')),
      slot(coded('B')),
      slot(coded('A', { status: 401 })),
    ];
    expect(new Set(slots).size).toBe(slots.length);
    expect(slot(new Error('a 22'))).toBe(slots[0]);
    expect(new FamiliarFailures(true).recognize(new Error('a 22'), 'handler', 0)?.slot).toBe(0);
  });

  it.each<[string, unknown]>([
    ['no error', 'text'],
    ['an error with a cause', new Error('x', { cause: new Error('y') })],
    ['several errors', new AggregateError([new Error('x')])],
    ['a hint when to come back', coded('X', { retryAfterMs: 5 })],
    ['a response', coded('X', { response: { status: 401 } })],
    ['a code that is an object', Object.assign(new Error('x'), { code: {} })],
    ['a name that is none', Object.assign(new Error('x'), { name: null })],
    ['a message without end', new Error('x'.repeat(10_000))],
    ['a Proxy of an error', new Proxy(new Error('x'), {})],
  ])('is never %s', (_name, thrown) => {
    expect(new FamiliarFailures(false).recognize(thrown, 'handler', 0)).toBeUndefined();
  });

  it('gives no slot to two kinds at the same time', () => {
    fc.assert(
      // Known at one time are 64 kinds; a kind is familiar after ten.
      fc.property(
        fc.array(fc.tuple(fc.nat(150), fc.constantFrom(1, 12)), { maxLength: 300, size: 'max' }),
        (bursts) => {
          const familiar = new FamiliarFailures(false);
          const bySlot = new Map<number, string>();
          const mistaken: string[] = [];
          for (const number of bursts.flatMap(([code, times]) => Array<number>(times).fill(code))) {
            const code = `E_${'x'.repeat(number)}`;
            const kind = familiar.recognize(coded(code), 'handler', 0);
            // What main has been told of a slot is always that of the failure which refers to it.
            if (kind?.isFamiliar === false) bySlot.set(kind.slot, code);
            if (bySlot.get(kind?.slot ?? -1) !== code) mistaken.push(code);
          }
          expect(mistaken).toEqual([]);
        },
      ),
      { numRuns: 10 },
    );
  });
});

describe('repeated reports', () => {
  const report = (timestamp: number): ErrorReport =>
    ({ error_id: 'e', timestamp, category: 'timeout_error', context: { signature: 's' } }) as ErrorReport;

  it('go in full ten times, are counted from then on, and begin anew when it has been quiet', () => {
    const repeats = new Repeats();
    for (let n = 0; n < 10; n++) {
      expect(repeats.count('k', n)).toBeUndefined();
      repeats.add('k', report(n));
    }
    expect(repeats.count('k', 10)).toMatchObject({ category: 'timeout_error', timestamp: 10 });
    expect(repeats.count('k', 11)).toBeDefined();
    expect(repeats.count('other', 11)).toBeUndefined();
    expect(repeats.take()).toMatchObject([{ timestamp: 11, context: { signature: 's', repeats: 2 } }]);
    expect(repeats.take()).toEqual([]);
    expect(repeats.count('k', 71)).toBeDefined();
    expect(repeats.count('k', 132)).toBeUndefined();
    repeats.add('k', report(132));
    expect(repeats.count('k', 133)).toBeUndefined();
    expect(repeats.take()).toMatchObject([{ context: { repeats: 1 } }]);
  });

  it('are kept apart for a thousand keys at most', () => {
    const repeats = new Repeats();
    for (let key = 0; key < 2000; key++) for (let n = 0; n < 11; n++) repeats.add(String(key), report(0));
    expect(repeats.count('999', 0)).toBeDefined();
    expect(repeats.count('1000', 0)).toBeUndefined();
    repeats.add('new', report(100));
    for (let n = 0; n < 10; n++) repeats.add('new', report(100));
    expect(repeats.count('new', 100)).toBeDefined();
  });
});

describe('retries as configured', () => {
  it('may be changed on the manager after the bus was made with others', async () => {
    const { bus } = shared;
    const { retryConfigs } = bus.recoveryManager as ErrorRecoveryManager;
    const before = retryConfigs[ErrorCategory.MESSAGE_PROCESSING_ERROR];
    retryConfigs[ErrorCategory.MESSAGE_PROCESSING_ERROR] = { maxRetries: 2, backoffMs: 1 };
    await bus.subscribe('numbers', throwsItsNumber, { subscriberId: 's' });
    bus.publish('numbers', 1);
    await bus.idle();
    retryConfigs[ErrorCategory.MESSAGE_PROCESSING_ERROR] = before;
    expect(await lettersOf(bus)).toMatchObject([{ failed: 3, retry_count: 2 }]);
  });

  it.each<unknown>([true, null, { perDelivery: -1 }, { perSecond: 0 }, { perSecond: Number.NaN }, { perMinute: 5 }])(
    'refuse the budget %j',
    (retryBudget) => {
      expect(() => new MessageBus({ retryBudget } as object)).toThrow(
        expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION', message: expect.stringContaining('retryBudget') }),
      );
    },
  );
});
