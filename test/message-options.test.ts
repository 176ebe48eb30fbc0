// What a message may ask for: to be delivered later, once, first; and what goes with it.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { defineHandler, type HandlerContext } from '../src/index.js';
import { Instant } from '../src/instant.js';
import { systemClock } from '../src/shared/clock.js';
import { AttemptContext, type ContextOutlet } from '../src/shared/context.js';
import type { DeliveryHead } from '../src/shared/delivery.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';
import follows from './fixtures/follows.js';
import tallies from './fixtures/tallies.js';
import wraps from './fixtures/wraps.js';
import { shareBus } from './shared-bus.js';
import { accountOf, linesOf, startBus, temporaryFolder } from './test-bus.js';

const clock = new SteppedClock();
const shared = shareBus({ clock, dedupeWindowMs: 1000 });

const soon = () => new Promise((resume) => setTimeout(resume, 5));

describe('a message', () => {
  it('is published when its clock says so, also by one that stands still and is set', () => {
    let now = 1000;
    const instant = new Instant({ ...systemClock, now: () => now, elapsed: () => 5 });
    for (const time of [1000, 3_600_000, 2000]) {
      now = time;
      instant.look();
      expect([instant.now, instant.elapsed]).toEqual([time, 5]);
    }
  });

  it('that cannot be written was not routed, and nobody waits for its reply', async () => {
    const { bus } = shared;
    await bus.subscribe('a', tallies, { subscriberId: 's' });
    let looks = 0;
    const headers = Object.create({
      toJSON() {
        if (++looks > 1) throw new Error('looked at twice');
        return {};
      },
    }) as Record<string, string>;
    await expect(bus.request('a', 1, { headers, timeoutMs: 100 })).rejects.toThrow('looked at twice');
    looks = 0;
    expect(bus.publish('a', 1, { headers })).toBe(false);
    // Its rejection would be nobody's to handle.
    clock.step(200);
    await soon();
    expect(accountOf(bus, 's')).toEqual({ routed: 0, succeeded: 0, deadLettered: 0, dropped: 0, pending: 0 });
  });
});

describe('a message with delayMs', () => {
  it('is handed over when its time has come, and counts as waiting until then', async () => {
    const { bus } = shared;
    const heard: number[] = [];
    await bus.subscribe('a', (n: number) => void heard.push(n), {
      subscriberId: 's',
      maxQueueSize: 2,
      overflow: 'reject',
    });
    expect(bus.publish('a', 1, { delayMs: 1000 })).toBe(true);
    expect(bus.publish('a', 2)).toBe(true);
    await soon();
    expect(heard).toEqual([2]);
    expect(bus.publish('a', 3, { delayMs: 500 })).toBe(true);
    expect(bus.publish('a', 4)).toBe(false);
    clock.step(999);
    await soon();
    expect(heard).toEqual([2, 3]);
    expect(accountOf(bus, 's')).toMatchObject({ routed: 4, succeeded: 2, dropped: 1, pending: 1 });
    clock.step(1);
    await soon();
    expect(heard).toEqual([2, 3, 1]);
    expect(bus.publish('a', 5, { delayMs: -1 })).toBe(false);
  });

  it('is dead-lettered when the bus stops before', async () => {
    const bus = await startBus();
    await bus.subscribe('a', tallies, { subscriberId: 's' });
    bus.publish('a', 1, { delayMs: 60_000 });
    await bus.stop({ drain: false });
    expect(accountOf(bus, 's')).toMatchObject({ routed: 1, deadLettered: 1, pending: 0 });
  });
});

it('what a handler publishes with a delay is refused where a transport would not keep it', () => {
  const context = new AttemptContext({ id: 'x', number: 1 } as DeliveryHead, 'i', 1, 0, {
    isRemote: true,
  } as ContextOutlet);
  expect(() => context.publish('a', 1, { delayMs: 5 })).toThrow('delayMs must be left out where there is a transport');
});

describe('a message with ttlMs', () => {
  it('that has outlived it takes no room from those that live, in the queue or behind one of its key', async () => {
    const { bus } = shared;
    const retry = { message_processing_error: { maxRetries: 1, backoffMs: 1000, jitter: false } };
    const heard: string[] = [];
    const handle = (text: string, { attempt }: HandlerContext): void => {
      if (text === 'fails' && attempt === 1) throw new Error('on purpose');
      heard.push(text);
    };
    const options = { subscriberId: 's', maxQueueSize: 3, overflow: 'reject' as const, retry };
    const subscription = await bus.subscribe('a', handle, options);
    bus.publish('a', 'fails', { key: 'k' });
    while (bus.getHealthStatus().subscriptions[0]?.retrying !== 1) await soon();
    bus.publish('a', 'behind', { key: 'k', ttlMs: 100 });
    await soon();
    subscription.pause();
    bus.publish('a', 'queued', { ttlMs: 100 });
    expect(bus.publish('a', 'too many')).toBe(false);
    clock.step(101);
    expect([bus.publish('a', 'one'), bus.publish('a', 'two'), bus.publish('a', 'three')]).toEqual([true, true, false]);
    expect(accountOf(bus, 's')).toMatchObject({ dropped: 4, pending: 3 });
    subscription.resume();
    clock.step(1000);
    await bus.idle();
    expect(heard.sort()).toEqual(['fails', 'one', 'two']);
  });
});

describe('a message with an id', () => {
  it('is routed once within the window, for each topic, unless it was refused', async () => {
    const { bus } = shared;
    const heard: number[] = [];
    const subscription = await bus.subscribe('*', (n: number) => void heard.push(n), {
      subscriberId: 's',
      maxQueueSize: 1,
      overflow: 'reject',
    });
    const publish = async (topic: string, n: number, id?: string) => {
      const isAccepted = bus.publish(topic, n, id === undefined ? {} : { id });
      await soon();
      return isAccepted;
    };
    expect(await publish('a', 1, 'x')).toBe(true);
    expect(await publish('a', 2, 'x')).toBe(true);
    expect(await publish('b', 3, 'x')).toBe(true);
    expect(await publish('a', 4)).toBe(true);
    clock.step(1000);
    expect(await publish('a', 5, 'x')).toBe(true);
    expect(heard).toEqual([1, 3, 4, 5]);
    expect(bus.getHealthStatus().duplicates).toBe(1);
    subscription.pause();
    await publish('a', 6);
    expect(await publish('a', 7, 'y')).toBe(false);
    subscription.resume();
    await soon();
    expect(await publish('a', 7, 'y')).toBe(true);
    expect(heard).toEqual([1, 3, 4, 5, 6, 7]);
  });
});

describe('a message with an id that one of two subscriptions has refused', () => {
  it('goes to that one alone when it is published again', async () => {
    const { bus } = shared;
    const heard: string[] = [];
    const options = { maxQueueSize: 1, overflow: 'reject' as const };
    await bus.subscribe('a', (n: number) => void heard.push(`first ${n}`), { subscriberId: 'first', ...options });
    const second = await bus.subscribe('*', (n: number) => void heard.push(`second ${n}`), {
      subscriberId: 'second',
      ...options,
    });
    second.pause();
    bus.publish('b', 0);
    expect([bus.publish('a', 1, { id: 'refused by one' }), bus.publish('a', 1, { id: 'refused by one' })]).toEqual([
      false,
      false,
    ]);
    await soon();
    second.resume();
    await soon();
    expect([bus.publish('a', 1, { id: 'refused by one' }), bus.publish('a', 1, { id: 'refused by one' })]).toEqual([
      true,
      true,
    ]);
    await soon();
    expect(heard).toEqual(['first 1', 'second 0', 'second 1']);
  });
});

describe('middleware', () => {
  it('goes around the handler on its thread, and may change, stop or fail what passes', async () => {
    const { bus } = shared;
    await bus.subscribe('in', wraps, {
      subscriberId: 's',
      retry: { message_processing_error: { maxRetries: 0, backoffMs: 0 } },
    });
    expect(await bus.request('in', 'x')).toBe('in(x outer inner)');
    expect(await bus.request('in', 'stop')).toBe('in(stopped)');
    await expect(bus.request('in', 'throw')).rejects.toMatchObject({ code: 'BUSBAR_REQUEST_FAILED' });
    const notAList = { middleware: 1 as unknown as [] };
    expect(() => defineHandler('file:///x.js', () => 1, notAList)).toThrow('middleware');
  });
});

describe('trace headers', () => {
  it('go on to what a handler publishes, and nothing else does', async () => {
    const { bus } = shared;
    const heard: unknown[] = [];
    await bus.subscribe('in', wraps, { subscriberId: 's' });
    await bus.subscribe('out', (_text, { headers }) => void heard.push(headers), { subscriberId: 'out' });
    bus.publish('in', 'x', { headers: { traceparent: '00-1-2-01', baggage: 'k=v', other: '1' } });
    bus.publish('in', 'own', { headers: { traceparent: '00-1-2-01' } });
    bus.publish('in', 'x');
    await bus.idle();
    expect(heard).toEqual([{ traceparent: '00-1-2-01', baggage: 'k=v' }, { traceparent: 'own' }, null]);
  });
});

describe('priorities', () => {
  it('are kept by a retry, and the lowest has one turn in 16 for each priority in use', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const retry = { message_processing_error: { maxRetries: 1, backoffMs: 1000, jitter: false } };
    const subscription = await bus.subscribe('a', follows, { subscriberId: 's', timeoutMs: 1e6, retry });
    const publish = (stream: string, n: number, priority: 'low' | 'high' | 'critical', fails = false) =>
      bus.publish('a', { stream, n, ledger, deeds: fails ? ['throw'] : [] }, { priority });
    publish('high', 0, 'high', true);
    while (bus.getHealthStatus().subscriptions[0]?.retrying !== 1) await soon();
    subscription.pause();
    for (let n = 0; n < 400; n++) publish('critical', n, 'critical');
    for (let n = 0; n < 8; n++) publish('low', n, 'low');
    clock.step(1000);
    subscription.resume();
    await bus.idle();
    const started = linesOf(ledger)
      .filter((line) => line.endsWith('start'))
      .slice(1)
      .map((line) => line.split(' ')[0]);
    const places = started.flatMap((stream, place) => (stream === 'low' ? [place + 1] : []));
    expect(places).toHaveLength(8);
    expect(places.filter((place, n) => place > 3 * 16 * (n + 1))).toEqual([]);
    // Higher than low: it is not behind all that is low.
    expect(started.indexOf('high')).toBeLessThanOrEqual(3 * 16);
    expect(started.slice(0, 15)).toEqual(Array(15).fill('critical'));
  });
});
