// Bad input: each a clear, coded, one-line error, and nothing left behind.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { type BusbarError, defineHandler, MessageBus, retryLater, type SubscribeOptions } from '../src/index.js';
import { errorOf } from './error-of.js';
import doubles from './fixtures/doubles.js';
import makesABus from './fixtures/makes-a-bus.js';
import { neverReady } from './fixtures/named.js';
import { publishesAnything, throwsHugely } from './fixtures/publishes.js';
import { shareBus } from './shared-bus.js';
import { fixture, lettersOf, temporaryFolder } from './test-bus.js';

const plain = shareBus({ enableErrorHandling: false });
const logged = shareBus({ maxMessageBytes: 500_000, ringBytes: 65_536 });

const anySchema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } };

it('a refusal says all that may be given, and says it alike from publish and publishAsync', async () => {
  const { bus } = logged;
  const lanes = 'all' as 'auto';
  expect((await errorOf(() => bus.subscribe('a', doubles, { subscriberId: 's', lanes }))).message).toBe(
    `lanes must be 'auto' or a whole number from 1 to 256; received "all"`,
  );
  const headers = { a: 'x'.repeat(16_384) };
  expect((await errorOf(() => bus.publishAsync('a', 1, { headers }))).message).toMatch(
    / at most 16383 characters as JSON;/,
  );
  const { message } = await errorOf(() => bus.publishAsync('a b', 1));
  expect(message).toMatch(/^a topic must be tokens .*; received "a b"$/);
  expect(bus.publish('a b', 1)).toBe(false);
  expect(await logged.reports()).toMatchObject([{ message }]);
});

describe('a subscription is refused', () => {
  it.each<[string, object]>([
    ['without a subscriberId', {}],
    ['with lanes 0', { subscriberId: 's', lanes: 0 }],
    ['with a breaker that is a list', { subscriberId: 's', breaker: [] }],
    ['with a deadline that adapts to nothing', { subscriberId: 's', adaptiveTimeout: 5 }],
    ['with no time to be set up', { subscriberId: 's', setupTimeoutMs: 0 }],
    ['with a timeout that is no number', { subscriberId: 's', timeoutMs: Number.NaN }],
    ['with an unknown option', { subscriberId: 's', timeout: 5 }],
    ['with a breaker that never opens', { subscriberId: 's', breaker: { failureThreshold: 0 } }],
    ['with a rate that lets nothing pass', { subscriberId: 's', rateLimit: { perSecond: 0 } }],
    ['strict and concurrent at once', { subscriberId: 's', ordering: 'strict', concurrency: 2 }],
    ['with an unknown overflow policy', { subscriberId: 's', overflow: 'drop' }],
    ['with an unknown whenOpen', { subscriberId: 's', whenOpen: 'drop' }],
    ['with something that is no schema', { subscriberId: 's', validate: {} }],
    ['with a schema, which cannot come to its thread', { subscriberId: 's', validate: anySchema }],
    ['with an export beside the one it was defined with', { subscriberId: 's', export: 'another' }],
  ])('%s', async (_name, options) => {
    const { bus } = plain;
    const error = await errorOf(() => bus.subscribe('a', doubles, options as SubscribeOptions));
    expect(error.code).toBe('BUSBAR_INVALID_OPTION');
  });

  it.each(['', 'a..b', '.a', 'a.', 'a b', 'a.>.b', 'a*', 'x'.repeat(300), 5])('for the pattern %j', async (pattern) => {
    const { bus } = plain;
    const error = await errorOf(() => bus.subscribe(pattern as string, doubles, { subscriberId: 's' }));
    expect(error.code).toBe('BUSBAR_INVALID_TOPIC');
  });

  it.each<[string, unknown, string]>([
    ['whose module is missing', fixture('not-there'), 'cannot be imported'],
    ['whose module has no such export', fixture('exports-nothing'), 'must be a function'],
    ['whose module throws at import', fixture('throws-at-import'), 'thrown at import'],
    ['whose set-up fails', neverReady, 'no camera'],
  ])('for a handler %s', async (_name, handler, text) => {
    const { bus } = logged;
    const error = await errorOf(() => bus.subscribe('a', handler as URL, { subscriberId: 's' }));
    expect(error.code).toBe('BUSBAR_HANDLER_LOAD');
    expect(error.message).toContain(text);
    expect(await logged.reports()).toMatchObject([{ category: 'configuration_error' }]);
    expect(bus.getHealthStatus().subscriptions).toEqual([]);
  });

  it.each([
    ['of a module', 'wrong.mjs', 'wrong.mjs:1:11'],
    ['of a CommonJS module', 'wrong.cjs', 'wrong.cjs:2:3'],
    ['of a module that its own imports', 'outer.mjs', 'wrong.mjs:1:11'],
    ['of an import that nobody exports', 'asks.mjs', 'asks.mjs:2:10'],
  ])('for the syntax %s, and where it is wrong is said', async (_name, file, place) => {
    const folder = pathToFileURL(`${temporaryFolder()}/`);
    const sources = {
      'wrong.mjs': 'const x = ;',
      'wrong.cjs': 'exports.a = 1;\n  }',
      'outer.mjs': `import './wrong.mjs';`,
      'asks.mjs': `\nimport { no } from './right.mjs';`,
      'right.mjs': '',
    };
    for (const [name, source] of Object.entries(sources)) writeFileSync(new URL(name, folder), source);
    const { message } = await errorOf(() => logged.bus.subscribe('a', new URL(file, folder), { subscriberId: 's' }));
    expect(message).toContain(`(${folder}${place})`);
    expect(await logged.reports()).toMatchObject([{ message, context: { cause: { name: 'SyntaxError' } } }]);
  });

  it.each([5, 'handler.js', 'https://example.org/handler.js', null])('for the handler %j', async (handler) => {
    const { bus } = plain;
    const error = await errorOf(() => bus.subscribe('a', handler as string, { subscriberId: 's' }));
    expect(error.code).toBe('BUSBAR_INVALID_OPTION');
  });

  it('and cannot be ended with options that nobody knows', async () => {
    const subscription = await plain.bus.subscribe('a', doubles, { subscriberId: 's' });
    const error = await errorOf(() => subscription.unsubscribe({ drian: false } as object));
    expect(error.code).toBe('BUSBAR_INVALID_OPTION');
  });

  it('when it is there already, also when both are made at once', async () => {
    const { bus } = plain;
    const both = await Promise.allSettled([1, 2].map(() => bus.subscribe('a', doubles, { subscriberId: 's' })));
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    const error = await errorOf(() => bus.subscribe('a', doubles, { subscriberId: 's' }));
    expect(error.code).toBe('BUSBAR_DUPLICATE_SUBSCRIPTION');
  });
});

it('a function on the main thread is not given a view', async () => {
  const error = await errorOf(() => plain.bus.subscribe('a', () => 1, { subscriberId: 's', bytes: 'view' }));
  expect(error.code).toBe('BUSBAR_INVALID_OPTION');
});

describe('publishing', () => {
  it('is refused before start and after stop', async () => {
    const bus = new MessageBus({ enableErrorHandling: false });
    expect(bus.publish('a', 1)).toBe(false);
    expect((await errorOf(() => bus.request('a', 1))).code).toBe('BUSBAR_NOT_RUNNING');
    expect((await errorOf(() => bus.subscribe('a', doubles, { subscriberId: 's' }))).code).toBe('BUSBAR_NOT_RUNNING');
    await bus.start();
    await bus.stop();
    expect(bus.publish('a', 1)).toBe(false);
    expect((await errorOf(() => bus.start())).code).toBe('BUSBAR_NOT_RUNNING');
    expect((await errorOf(() => bus.stop({ timeout: 5 } as object))).code).toBe('BUSBAR_INVALID_OPTION');
  });

  it.each<[string, unknown, unknown]>([
    ['a bad topic', 'a..b', undefined],
    ['a pattern', 'a.*', undefined],
    ['no topic', undefined, undefined],
    ['a topic that is no text, and cannot be one', Object.create(null), undefined],
    ['a misspelt option', 'a', { prioritty: 'high' }],
    ['a bad priority', 'a', { priority: 'urgent' }],
    ['a key that is no text', 'a', { key: 5 }],
    ['a negative ttl', 'a', { ttlMs: -1 }],
    ['headers that are no texts', 'a', { headers: { n: 1 } }],
    ['options that are none', 'a', 5],
  ])('with %s returns false, and a report tells why', async (_name, topic, options) => {
    const { bus } = logged;
    await bus.subscribe('a', doubles, { subscriberId: 's' });
    expect(bus.publish(topic as string, 1, options as object)).toBe(false);
    expect(await logged.reports()).toMatchObject([{ category: 'configuration_error', component: 'publisher' }]);
    expect(bus.getHealthStatus().subscriptions[0]?.routed).toBe(0);
  });

  it('what cannot be encoded goes as far as it can, and is reported', async () => {
    const { bus } = logged;
    await bus.subscribe('a', (payload) => payload, { subscriberId: 's' });
    bus.publish('a', { ok: 1, nope: () => 1 });
    await bus.idle();
    expect(await logged.reports()).toMatchObject([{ category: 'serialization_error', recovery_successful: true }]);
    expect(bus.getHealthStatus().subscriptions[0]).toMatchObject({ succeeded: 1 });
  });

  it('what is larger than allowed is given up with a clear error', async () => {
    const { bus } = logged;
    await bus.subscribe('a', doubles, { subscriberId: 's' });
    expect(bus.publish('a', Buffer.alloc(500_001))).toBe(false);
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([
      { error_category: 'serialization_error', error: { code: 'BUSBAR_MESSAGE_TOO_LARGE' } },
    ]);
  });
});

describe('a request is refused', () => {
  it('when nobody, or more than one, would answer', async () => {
    const { bus } = plain;
    expect((await errorOf(() => bus.request('a', 1))).code).toBe('BUSBAR_NO_HANDLER');
    await bus.subscribe('a', doubles, { subscriberId: 's' });
    await bus.subscribe('*', doubles, { subscriberId: 't' });
    expect((await errorOf(() => bus.request('a', 1))).code).toBe('BUSBAR_AMBIGUOUS_REQUEST');
    expect((await errorOf(() => bus.request('a', 1, { timeoutMs: 0 }))).code).toBe('BUSBAR_INVALID_OPTION');
    expect((await errorOf(() => bus.request('a..', 1))).code).toBe('BUSBAR_INVALID_TOPIC');
    expect((await errorOf(() => bus.request('a', () => 1))).code).toBe('BUSBAR_AMBIGUOUS_REQUEST');
  });

  it('when no answer comes in time', async () => {
    const { bus } = logged;
    await bus.subscribe('a', () => new Promise(() => undefined), { subscriberId: 's' });
    expect((await errorOf(() => bus.request('a', 1, { timeoutMs: 20 }))).code).toBe('BUSBAR_REQUEST_TIMEOUT');
  });
});

describe('a log folder', () => {
  it('that cannot be made is told at start', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, 'in the way');
    const bus = new MessageBus({ errorLogDir: join(file, 'logs') });
    const error = await errorOf(() => bus.start());
    expect(error.code).toBe('BUSBAR_LOG_FOLDER');
    expect(error.message).toContain(join(file, 'logs'));
    expect(bus.publish('a', 1)).toBe(false);
    await bus.stop();
  });

  // The superuser may write anywhere: there, nothing could fail.
  (process.getuid?.() === 0 ? it.failing : it)('that cannot be written is told at start', async () => {
    const folder = join(temporaryFolder(), 'read-only');
    mkdirSync(folder);
    chmodSync(folder, 0o500);
    const bus = new MessageBus({ errorLogDir: folder });
    const start = bus.start();
    const result = await start.then(
      () => 'started',
      (error: BusbarError) => error.code,
    );
    await bus.stop();
    expect(result).toBe('BUSBAR_LOG_FOLDER');
  });
});

describe('handlers', () => {
  it('are not defined by nonsense', async () => {
    expect((await errorOf(() => defineHandler('', () => 1))).code).toBe('BUSBAR_INVALID_OPTION');
    expect((await errorOf(() => defineHandler(import.meta.url, 5 as never))).code).toBe('BUSBAR_INVALID_OPTION');
    expect((await errorOf(() => retryLater(-1))).code).toBe('BUSBAR_INVALID_OPTION');
  });

  it('cannot make a bus of their own', async () => {
    const { bus } = logged;
    await bus.subscribe('a', makesABus, {
      subscriberId: 's',
      retry: { message_processing_error: { maxRetries: 0, backoffMs: 0 } },
    });
    bus.publish('a', 1);
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([
      { error_category: 'configuration_error', error: { code: 'BUSBAR_IN_LANE_WORKER' } },
    ]);
  });
});

describe('a handler that publishes', () => {
  it.each<[string, unknown]>([
    ['no topic', { topic: 5 }],
    ['a malformed topic', { topic: 'a..b' }],
    ['an endless topic', { topic: 'x'.repeat(100_000) }],
    ['a bad priority', { topic: 'a', options: { priority: 'urgent' } }],
    ['a bad key', { topic: 'a', options: { key: { k: 1 } } }],
    ['bad headers', { topic: 'a', options: { headers: { h: 5 } } }],
    ['too much', { topic: 'a', payload: Buffer.alloc(1e6) }],
  ])('%s fails, and nothing else does', async (_name, payload) => {
    const { bus } = logged;
    await bus.subscribe('in', publishesAnything, {
      subscriberId: 's',
      retry: { message_processing_error: { maxRetries: 0, backoffMs: 0 } },
    });
    bus.publish('in', payload);
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([{ error: { code: expect.stringMatching(/^BUSBAR_/) } }]);
    expect(bus.getHealthStatus()).toMatchObject({ unrouted: 0, threads: { replaced: 0 } });
  });
});

describe('an error as large as can be', () => {
  it('finds its way out of the smallest ring', async () => {
    const { bus } = logged;
    await bus.subscribe('a', throwsHugely, { subscriberId: 's' });
    bus.publish('a', Buffer.alloc(16_000));
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([{ reason: 'retries_exhausted', error: { name: 'AggregateError' } }]);
  });
});
