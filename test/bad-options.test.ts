// Bad options of what is constructed: each a clear, coded, one-line error.
import { describe, expect, it } from '@jest/globals';
import {
  CircuitBreaker,
  DeadLetterQueue,
  defineHandler,
  ErrorLogger,
  ErrorRecoveryManager,
  MessageBus,
  type MessageBusOptions,
} from '../src/index.js';
import { errorOf } from './error-of.js';

describe('a bus is not made', () => {
  it.each<[string, unknown, string]>([
    ['maxQueueSize', 0, '0'],
    ['maxQueueSize', '10', '"10"'],
    ['threads', 0.5, '0.5'],
    ['threads', 1000, '1000'],
    ['spareThreads', -1, '-1'],
    ['ringBytes', 100_000, '100000'],
    ['ringBytes', 1024, '1024'],
    ['maxMessageBytes', 0, '0'],
    ['dedupeWindowMs', -1, '-1'],
    ['errorLogDir', 5, '5'],
    ['errorLogDir', '', '""'],
    ['enableErrorHandling', 'yes', '"yes"'],
    ['resourceLimits', { maxHeap: 1 }, '"maxHeap"'],
    ['resourceLimits', { stackSizeMb: 'big' }, '"big"'],
    ['retry', { timeouts: {} }, '"timeouts"'],
    ['retry', { timeout_error: { maxRetries: -1, backoffMs: 1 } }, '-1'],
    ['redact', { patterns: ['('] }, '"("'],
    ['retry', { timeout_error: { maxRetries: 1, backoffMs: 1, maxBackof: 5 } }, '"maxBackof"'],
    ['redact', { fields: ['ssn'] }, '"fields"'],
    ['redact', 3, '3'],
    ['redact', ['ssn'], '["ssn"]'],
    ['redact', { paths: 'ssn' }, '"ssn"'],
    ['breakers', [], '[]'],
    ['retry', { timeout_error: 5 }, '5'],
    ['resourceLimits', 64, '64'],
    ['breakers', { db: { failureTreshold: 2 } }, '"failureTreshold"'],
    ['breakers', { db: { window: { calls: 10, failureRatio: 0.1 } } }, '"failureRatio"'],
    ['maxQueueSze', 10, '"maxQueueSze"'],
  ])('with %s %j', async (name, value, shown) => {
    const error = await errorOf(() => new MessageBus({ [name]: value } as MessageBusOptions));
    expect(error.code).toBe('BUSBAR_INVALID_OPTION');
    expect(error.message).toContain(`received ${shown}`);
  });
});

it.each<[string, () => unknown]>([
  ['breakers.db.failureThreshold', () => new MessageBus({ breakers: { db: { failureThreshold: 0 } } })],
  ['breakers.db.window.calls', () => new MessageBus({ breakers: { db: { window: { calls: 0 } } } })],
  ['breaker "db": recoveryTimeoutMs', () => new CircuitBreaker({ name: 'db', recoveryTimeoutMs: 0 })],
  ['failureThreshold', () => new CircuitBreaker({ failureThreshold: 0 })],
])('a breaker with a wrong option is named: %s', async (named, make) => {
  expect((await errorOf(make)).message).toMatch(new RegExp(`^${named} must be `));
});

it.each<[string, () => unknown]>([
  [
    'a handler with options it does not know',
    () => defineHandler(import.meta.url, () => 1, { tearDown() {} } as object),
  ],
  ['a breaker with options it does not know', () => new CircuitBreaker({ failureTreshold: 2 } as object)],
  ['a breaker without options to read', () => new CircuitBreaker(null as unknown as object)],
  ['a recovery with options it does not know', () => new ErrorRecoveryManager({ retries: {} } as object)],
  [
    'a logger with options it does not know',
    () => new ErrorLogger({ logDir: '/tmp/never', maxSize: 5 } as object as { logDir: string }),
  ],
  ['a logger with a folder alone', () => new ErrorLogger('logs' as never)],
  ['a queue with a folder alone', () => new DeadLetterQueue('letters' as never)],
  ['a logger with a nonsense redaction', () => new ErrorLogger({ logDir: '/tmp/never', redact: 3 as never })],
  [
    'a queue with options it does not know',
    () => new DeadLetterQueue({ storageDir: '/tmp/never', maxAge: 5 } as object as { storageDir: string }),
  ],
])('%s is not made', async (_name, make) => {
  expect((await errorOf(make)).code).toBe('BUSBAR_INVALID_OPTION');
});

it.each<[string, () => unknown, string | null]>([
  ['a letter is missing', () => new MessageBus({ maxQueueSze: 10 } as MessageBusOptions), 'maxQueueSize'],
  ['its end is missing', () => new CircuitBreaker({ recoveryTimeout: 5 } as object), 'recoveryTimeoutMs'],
  ['small letters are large', () => new MessageBus({ ERRORLOGDIR: 'logs' } as MessageBusOptions), 'errorLogDir'],
  [
    'it has another ending',
    () => new MessageBus({ retry: { timeout_error: { maxRetry: 3 } as object } }),
    'maxRetries',
  ],
  [
    'it is a category',
    () => new MessageBus({ retry: { message_processing_errors: {} } as object }),
    'message_processing_error',
  ],
  ['it is a value', () => new MessageBus({ codec: 'jsn' as 'json' }), 'json'],
  ['it is like no other', () => new MessageBus({ colour: 'red' } as MessageBusOptions), null],
  ['it is endless', () => new MessageBus({ ['maxQueueSize'.repeat(1e5)]: 1 } as MessageBusOptions), null],
])('the error of a misspelt option names what may be meant: %s', async (_name, make, meant) => {
  const { message } = await errorOf(make);
  expect(/: did you mean '(.*)'\?$/.exec(message)?.[1] ?? null).toBe(meant);
});

it.each([{ maxRetries: 3 }, { maxRetry: 3 }])(
  'the error of retries %j for all categories says that they are given per category',
  async (retry) => {
    const { message } = await errorOf(() => new MessageBus({ retry: retry as object }));
    expect(message).toMatch(/: say maxRetries per category, as \{ timeout_error: \{ maxRetries: … \} \}$/);
  },
);

it.each(['on', 'once', 'off'] as const)(
  'an event that there is not is refused by %s, with those that there are',
  async (way) => {
    const bus = new MessageBus({ enableErrorHandling: false });
    const error = await errorOf(() => bus[way]('breakers' as 'breaker', () => undefined));
    expect(error).toMatchObject({
      code: 'BUSBAR_INVALID_OPTION',
      message:
        "event must be 'log' or 'deadLetter' or 'pressure' or 'drain' or 'breaker'; received \"breakers\": did you mean 'breaker'?",
    });
    expect(await errorOf(() => bus[way]('breaker', 5 as never))).toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
  },
);
