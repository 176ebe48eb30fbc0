// A message all the way through: published, routed, handled on a worker, answered, counted.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { HandlerContext } from '../src/index.js';
import * as front from '../src/index.js';
import doubles from './fixtures/doubles.js';
import echoes from './fixtures/echoes.js';
import logs from './fixtures/logs.js';
import { onlyEven } from './fixtures/named.js';
import publishes from './fixtures/publishes.js';
import tallies from './fixtures/tallies.js';
import ticks from './fixtures/ticks.js';
import { shareBus } from './shared-bus.js';
import { accountOf, fixture, lettersOf, linesOf, temporaryFolder } from './test-bus.js';

const shared = shareBus({ ringBytes: 65_536 });

describe('a bus', () => {
  it('hands a message to a handler on a worker, and counts it', async () => {
    const { bus } = shared;
    await bus.subscribe('numbers.*', doubles, { subscriberId: 'doubler' });
    expect(bus.publish('numbers.one', 1)).toBe(true);
    await bus.idle();
    expect(accountOf(bus, 'doubler')).toEqual({ routed: 1, succeeded: 1, deadLettered: 0, dropped: 0, pending: 0 });
  });

  it('answers a request with what the handler returns', async () => {
    const { bus } = shared;
    await bus.subscribe('numbers.*', doubles, { subscriberId: 'doubler' });
    expect(await bus.request('numbers.one', 21)).toBe(42);
  });

  it.each([
    ['a worker', doubles],
    ['the main thread', (n: number) => n * 2],
  ])('answers with exactly the number, or with nothing, from %s', async (_where, handler) => {
    const { bus } = shared;
    await bus.subscribe('numbers.*', handler, { subscriberId: 'doubler' });
    for (const n of [0, -0, -0.75, 2 ** 60, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await bus.request('numbers.one', n)).toBe(n * 2);
    }
    await bus.subscribe('silence', handler === doubles ? logs : () => undefined, { subscriberId: 'silent' });
    expect(await bus.request('silence', 1)).toBeUndefined();
  });

  it('tells the handler about its message', async () => {
    const { bus } = shared;
    await bus.subscribe('a.>', echoes, { subscriberId: 'echo' });
    const options = { id: 'my-id', key: 'front', headers: { trace: 'ä' }, priority: 'high' } as const;
    expect(await bus.request('a.b.c', { deep: [1, { x: null }] }, options)).toEqual({
      payload: { deep: [1, { x: null }] },
      topic: 'a.b.c',
      attempt: 1,
      ...options,
    });
  });

  it.each([
    ['bytes', Buffer.from([0, 1, 255])],
    ['a typed array', new Float64Array([1.5, -0, Number.NaN])],
    ['a map in a set', new Set([new Map([[1n, new Date(5)]])])],
    ['nothing', undefined],
    ['a text', 'grüße 👋'],
    ['an empty object', {}],
  ])('carries %s there and back', async (_name, payload) => {
    const { bus } = shared;
    await bus.subscribe('a.b', echoes, { subscriberId: 'echo' });
    const { payload: answered } = await bus.request<{ payload: unknown }>('a.b', payload);
    expect(answered).toEqual(payload);
  });

  it('exports classes and functions that know their own names', () => {
    for (const [name, exported] of Object.entries(front)) {
      if (typeof exported === 'function') expect(exported.name).toBe(name);
    }
  });

  it('keeps the order of messages, from the ring into the backlog and on', async () => {
    const { bus } = shared;
    const file = join(temporaryFolder(), 'tally');
    await bus.subscribe('a', tallies, { subscriberId: 'tally' });
    const numbers = Array.from({ length: 2500 }, (_, n) => n);
    expect(numbers.filter((n) => !bus.publish('a', { n, file }))).toEqual([]);
    await bus.idle();
    expect(linesOf(file)).toEqual(numbers.map(String));
  });

  it('gives every matching subscription its delivery, and nobody else', async () => {
    const { bus } = shared;
    for (const [pattern, subscriberId] of [
      ['a.*', 'star'],
      ['a.b', 'exact'],
      ['>', 'all'],
      ['b.>', 'other'],
    ] as const) {
      await bus.subscribe(pattern, doubles, { subscriberId });
    }
    bus.publish('a.b', 1);
    await bus.idle();
    const routed = bus.getHealthStatus().subscriptions.map(({ subscriberId, routed: count }) => [subscriberId, count]);
    expect(routed).toEqual([
      ['star', 1],
      ['exact', 1],
      ['all', 1],
      ['other', 0],
    ]);
  });

  it('counts messages that nobody wants', async () => {
    const { bus } = shared;
    const { unrouted } = bus.getHealthStatus();
    expect(bus.publish('nobody.wants', 1)).toBe(true);
    expect(bus.getHealthStatus().unrouted).toBe(Number(unrouted) + 1);
  });

  it('runs more lanes than it has threads', async () => {
    const { bus } = shared;
    for (let n = 0; n < 5; n++) await bus.subscribe(`topic.${n}`, doubles, { subscriberId: 'd', lanes: 2 });
    const answers = await Promise.all([0, 1, 2, 3, 4].map((n) => bus.request(`topic.${n}`, n, { key: `k${n}` })));
    expect(answers).toEqual([0, 2, 4, 6, 8]);
  });

  it('publishes what a handler publishes, once its attempt has succeeded', async () => {
    const { bus } = shared;
    const { errorsRecovered } = bus.getHealthStatus();
    const seen: unknown[] = [];
    await bus.subscribe(
      'out.*',
      (payload, ctx) => void seen.push([ctx.topic, payload, ctx.id.slice(-2), ctx.priority]),
      { subscriberId: 'sink' },
    );
    await bus.subscribe('in', publishes, { subscriberId: 'source' });
    bus.publish('in', { fail: true, n: 7 });
    await bus.idle();
    expect(seen).toEqual([
      ['out.second', new Map([[7, 'n']]), ':2', 'high'],
      ['out.first', { n: 7, bytes: new Uint8Array([7]) }, ':1', 'normal'],
    ]);
    expect(bus.getHealthStatus().errorsRecovered).toBe(errorsRecovered + 1);
  });

  it('runs a plain function on the main thread, with retries and dead letters', async () => {
    const { bus } = shared;
    let calls = 0;
    const fails = (): never => {
      calls++;
      throw new Error('always');
    };
    await bus.subscribe('a', fails, { subscriberId: 'plain' });
    bus.publish('a', { n: 1 });
    await bus.idle();
    expect(calls).toBe(3);
    expect(await lettersOf(bus)).toMatchObject([
      { reason: 'retries_exhausted', failed: 3, retry_count: 2, message: { payload: { n: 1 } } },
    ]);
  });

  it('validates payloads on the worker, and classifies by the handler’s own rules', async () => {
    const { bus } = shared;
    await bus.subscribe('even', onlyEven, { subscriberId: 'even' });
    expect(await bus.request('even', 8)).toBe(4);
    await expect(bus.request('even', 3)).rejects.toThrow('must be even');
    expect(await lettersOf(bus)).toMatchObject([{ error_category: 'configuration_error', reason: 'not_retryable' }]);
  });

  it('loads a handler from a module URL and an export name', async () => {
    const { bus } = shared;
    await bus.subscribe('a', fixture('named'), { subscriberId: 's', export: 'triple' });
    expect(await bus.request('a', 5)).toBe(15);
  });

  it.each([
    ['a worker', logs],
    ['the main thread', (payload: unknown, { log }: HandlerContext) => log.warn('seen password=hunter2', { payload })],
  ])('passes on what handlers log, but no secrets, from %s', async (_where, handler) => {
    const { bus } = shared;
    const line = new Promise((resolve) => bus.once('log', resolve));
    await bus.subscribe('a', handler, { subscriberId: 's' });
    bus.publish('a', { seen: 5, apiKey: 'hunter2' }, { id: 'five' });
    expect(await line).toStrictEqual({
      level: 'warn',
      message: 'seen password=[redacted]',
      fields: { payload: { seen: 5, apiKey: '[redacted]' } },
      id: 'five',
      topic: 'a',
      subscriberId: 's',
    });
  });

  it('has timers of a thread fire on it, also where its next message comes before it has slept', async () => {
    const { bus } = shared;
    await bus.subscribe('a', ticks, { subscriberId: 's' });
    const before = await bus.request<number>('a', null);
    const until = performance.now() + 300;
    while (performance.now() < until) {
      bus.publish('a', null);
      await undefined;
      // Longer than a lane looks again and again, and shorter than it dozes.
      for (const due = performance.now() + 0.3; performance.now() < due; );
    }
    expect((await bus.request<number>('a', null)) - before).toBeGreaterThanOrEqual(15);
  });

  it('drops messages that have outlived their time', async () => {
    const { bus } = shared;
    const subscription = await bus.subscribe('a', doubles, { subscriberId: 's' });
    subscription.pause();
    bus.publish('a', 1, { ttlMs: 1 });
    bus.publish('a', 1);
    expect(bus.getHealthStatus().subscriptions).toMatchObject([{ pending: 2, paused: true }]);
    await new Promise((resume) => setTimeout(resume, 10));
    subscription.resume();
    expect(bus.getHealthStatus().subscriptions).toMatchObject([{ paused: false }]);
    await bus.idle();
    expect(accountOf(bus, 's')).toEqual({ routed: 2, succeeded: 1, deadLettered: 0, dropped: 1, pending: 0 });
  });
});
