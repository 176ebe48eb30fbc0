// Each of the eight categories, reached by what really goes wrong in Node, with the recovery that is its default.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  ErrorCategory,
  type ErrorReport,
  type MessageBus,
  type StoredLetter,
  type SubscribeOptions,
} from '../src/index.js';
import doubles from './fixtures/doubles.js';
import meetsTheWorld, { type Errand } from './fixtures/meets-the-world.js';
import { shareBus } from './shared-bus.js';
import { accountOf, fixture, lettersOf } from './test-bus.js';

let server: Server;
let closedPort: number;
let url: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    response.writeHead(Number(request.url?.slice(1)), { 'retry-after': '0' });
    response.end();
  });
  await new Promise<void>((resume) => server.listen(0, '127.0.0.1', resume));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const other = createServer();
  await new Promise<void>((resume) => other.listen(0, '127.0.0.1', resume));
  closedPort = (other.address() as AddressInfo).port;
  await new Promise((resume) => other.close(resume));
});

afterAll(() => new Promise((resume) => server.close(resume)));

/** The random part of a wait that is waited: full jitter. A bus looks for its source of it once, when it is made. */
let share = 1e-6;
jest.spyOn(Math, 'random').mockImplementation(() => share);
afterEach(() => {
  share = 1e-6;
});

/** A bus with the default retries. */
const shared = shareBus({ retry: {} });

async function defaultBus(
  options: Partial<SubscribeOptions> = {},
  { bus }: { bus: MessageBus } = shared,
): Promise<MessageBus> {
  await bus.subscribe('errands', meetsTheWorld, {
    subscriberId: 's',
    breaker: false,
    timeoutMs: 10_000,
    graceMs: 10,
    ...options,
  });
  return bus;
}

/** What is to become of each errand; all run side by side on one bus. */
const ERRANDS: readonly [string, () => Errand, object][] = [
  [
    'a refused connection: three retries',
    () => ({ errand: 'connect', port: closedPort }),
    { error_category: 'connection_error', failed: 4, error: { code: 'ECONNREFUSED', syscall: 'connect' } },
  ],
  [
    'a fetch that failed: three retries',
    () => ({ errand: 'fetch', url: `http://127.0.0.1:${closedPort}` }),
    {
      error_category: 'connection_error',
      failed: 4,
      error: { message: 'fetch failed', cause: { code: 'ECONNREFUSED' } },
    },
  ],
  [
    'a server that is not available: three retries, when its header says so',
    () => ({ errand: 'fetch', url: `${url}/503` }),
    { error_category: 'connection_error', failed: 4, error: { status: 503, retry_after_ms: 0 } },
  ],
  [
    'a deadline that the handler heeds: two retries',
    () => ({ errand: 'wait' }),
    { error_category: 'timeout_error', failed: 3 },
  ],
  [
    'a deadline that the handler cannot heed: two retries',
    () => ({ errand: 'loop' }),
    { error_category: 'timeout_error', failed: 3, error: { code: 'BUSBAR_HANDLER_TIMEOUT' } },
  ],
  [
    'a TypeError in the handler: two retries',
    () => ({ errand: 'compute' }),
    { error_category: 'message_processing_error', failed: 3, error: { name: 'TypeError' } },
  ],
  [
    'memory that cannot be had: none',
    () => ({ errand: 'allocate' }),
    { error_category: 'resource_exhaustion', failed: 1, reason: 'not_retryable', error: { name: 'RangeError' } },
  ],
  [
    'a server that denies access: none',
    () => ({ errand: 'fetch', url: `${url}/401` }),
    { error_category: 'authentication_error', failed: 1, reason: 'not_retryable', error: { status: 401 } },
  ],
  [
    'a missing file, which is the handler’s own affair: two retries',
    () => ({ errand: 'read', file: '/nowhere/at/all' }),
    { error_category: 'message_processing_error', failed: 3, error: { code: 'ENOENT' } },
  ],
];

describe('the default recovery of', () => {
  let letters: StoredLetter[];
  let reports: ErrorReport[];

  beforeAll(async () => {
    const bus = await defaultBus();
    await bus.subscribe('hasty', meetsTheWorld, { subscriberId: 's', breaker: false, timeoutMs: 50, graceMs: 10 });
    for (const [name, make] of ERRANDS) {
      const errand = make();
      bus.publish(errand.errand === 'wait' || errand.errand === 'loop' ? 'hasty' : 'errands', errand, { id: name });
    }
    await bus.idle();
    letters = await lettersOf(bus);
    reports = await shared.reports();
  });

  it.each(ERRANDS)('%s', (name, make, expected) => {
    const letter = letters.find(({ message }) => message.id === name);
    expect(letter).toMatchObject({ reason: 'retries_exhausted', ...expected, message: { payload: make() } });
    expect(letter?.started).toBe(letter?.failed);
    const told = reports.filter(({ context }) => context.message_id === name);
    const { failed = 0, error_category: category } = letter ?? {};
    expect(told).toMatchObject(
      Array.from({ length: failed }, (_, n) => ({
        ...{ category, recovery_attempted: failed > 1, recovery_successful: n > 0 },
      })),
    );
  });

  it('a reply that cannot be encoded: none, for it would fail again', async () => {
    const bus = await defaultBus();
    await expect(bus.request('errands', { errand: 'answer' })).rejects.toMatchObject({ code: 'BUSBAR_REQUEST_FAILED' });
    expect(await lettersOf(bus)).toMatchObject([
      { error_category: 'serialization_error', reason: 'not_retryable', failed: 1 },
    ]);
  });

  it('a payload that cannot be encoded: it goes as far as it can, and a report says so', async () => {
    const { bus } = shared;
    const seen: unknown[] = [];
    await bus.subscribe('a', (payload) => void seen.push(payload), { subscriberId: 's' });
    expect(bus.publish('a', { n: 1, run: () => 2 })).toBe(true);
    await bus.idle();
    expect(seen).toMatchObject([{ n: 1 }]);
    expect(await shared.reports()).toMatchObject([{ category: 'serialization_error', recovery_successful: true }]);
  });

  it('a full queue: low priority gives way, the queue grows, then the newcomer is given up', async () => {
    const { bus } = shared;
    const subscription = await bus.subscribe('a', doubles, { subscriberId: 's', maxQueueSize: 4 });
    subscription.pause();
    bus.publish('a', 0, { priority: 'low' });
    const accepted = Array.from({ length: 12 }, (_, n) => bus.publish('a', n + 1));
    expect(accepted.filter(Boolean).length).toBeLessThan(12);
    subscription.resume();
    await bus.idle();
    const letters = await lettersOf(bus);
    expect(letters.length).toBeGreaterThan(0);
    for (const { reason, error_category } of letters) {
      expect({ reason, error_category }).toEqual({ reason: 'overflow', error_category: 'queue_overflow' });
    }
    expect(accountOf(bus, 's').succeeded + letters.length).toBe(13);
  });

  it('a handler that is not there: none, and subscribing says why', async () => {
    const { bus } = shared;
    await expect(bus.subscribe('a', fixture('nobody-wrote-this'), { subscriberId: 's' })).rejects.toMatchObject({
      code: 'BUSBAR_HANDLER_LOAD',
    });
    expect(await shared.reports()).toMatchObject([
      { category: 'configuration_error', severity: 'high', recovery_attempted: false },
    ]);
  });
});

describe('the first wait after', () => {
  it.each<[string, Errand | 'port', number]>([
    ['a connection error is up to 2 s', 'port', 2000],
    ['a timeout up to 1.5 s', { errand: 'wait' }, 1500],
    ['a handler’s own error up to 1 s', { errand: 'compute' }, 1000],
  ])('%s', async (_name, errand, mostMs) => {
    share = 0.05;
    const bus = await defaultBus({ timeoutMs: errand !== 'port' && errand.errand === 'wait' ? 30 : 10_000 });
    const began = Date.now();
    const countErrors = (): number => bus.getHealthStatus().errorStatistics?.totalErrors ?? 0;
    const before = countErrors();
    bus.publish('errands', errand === 'port' ? { errand: 'connect', port: closedPort } : errand);
    const isThere = (n: number): boolean => countErrors() >= before + n;
    while (!isThere(1)) await new Promise((resume) => setTimeout(resume, 2));
    const failed = Date.now();
    while (!isThere(2) && Date.now() - began < 5000) await new Promise((resume) => setTimeout(resume, 2));
    expect(Date.now() - failed).toBeGreaterThanOrEqual(mostMs * share - 10);
  });
});

describe('recovery is customised', () => {
  const own = shareBus({ retry: {} });
  const customBus = (options?: Partial<SubscribeOptions>): Promise<MessageBus> => defaultBus(options, own);

  it('by retryConfigs: five retries, the first after 3 s', async () => {
    const bus = await customBus();
    if (bus.recoveryManager === null) throw new Error('error handling is on');
    bus.recoveryManager.retryConfigs[ErrorCategory.CONNECTION_ERROR] = { maxRetries: 5, backoffMs: 3_000 };
    bus.publish('errands', { errand: 'connect', port: closedPort });
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([{ failed: 6, retry_count: 5, reason: 'retries_exhausted' }]);
    const facts = { category: ErrorCategory.CONNECTION_ERROR, failedInRow: 1, elapsedMs: 0 };
    share = 1;
    expect(bus.recoveryManager.decide(facts)).toMatchObject({ kind: 'retry' });
  });

  it('by a strategy for timeouts, whose return value decides', async () => {
    const bus = await customBus({ timeoutMs: 20 });
    if (bus.recoveryManager === null) throw new Error('error handling is on');
    const seen: unknown[] = [];
    bus.recoveryManager.recoveryStrategies[ErrorCategory.TIMEOUT_ERROR] = async (report, context) => {
      seen.push([report.category, report.context.topic, context['attempt']]);
      return seen.length < 2;
    };
    bus.publish('errands', { errand: 'wait' });
    await bus.idle();
    expect(seen).toEqual([
      ['timeout_error', 'errands', 1],
      ['timeout_error', 'errands', 2],
    ]);
    expect(await lettersOf(bus)).toMatchObject([{ failed: 2, reason: 'not_retryable' }]);
    const reports = await own.reports();
    expect(reports.map(({ recovery_successful }) => recovery_successful)).toEqual([false, true]);
  });

  it.each<[string, (report: ErrorReport) => unknown]>([
    [
      'writes what no log can hold into the report',
      (report) => Object.assign(report.context, { self: report, at: 1n }),
    ],
    ['freezes the report', (report) => Object.freeze(report.context) && Object.freeze(report) && false],
    ['changes the category', (report) => Object.assign(report, { category: 'nonsense', context: null }) && false],
    [
      'throws',
      () => {
        throw new Error('the strategy’s own');
      },
    ],
    ['lies', () => 'yes'],
  ])('and a strategy that %s costs its delivery, and nothing else', async (_name, strategy) => {
    const bus = await customBus({ timeoutMs: 20 });
    if (bus.recoveryManager === null) throw new Error('error handling is on');
    bus.recoveryManager.recoveryStrategies[ErrorCategory.TIMEOUT_ERROR] = strategy as () => boolean;
    bus.publish('errands', { errand: 'wait' });
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([{ failed: 1, reason: 'not_retryable' }]);
    expect(await own.reports()).toMatchObject([{ category: 'timeout_error', recovery_successful: false }]);
    expect(bus.getHealthStatus().running).toBe(true);
  });
});
