// What happens as a queue fills up: who is told, who waits, who gives way, and that nothing else counts as full.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { MessageBus, PublishOptions, SubscribeOptions, Subscription } from '../src/index.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';
import doubles from './fixtures/doubles.js';
import follows from './fixtures/follows.js';
import tallies from './fixtures/tallies.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf, linesOf, makeBus, temporaryFolder } from './test-bus.js';

const shared = shareBus({ ringBytes: 65_536 });

interface Queue {
  readonly bus: MessageBus;
  readonly subscription: Subscription;
  /** Publishes numbers, and says which were accepted. */
  publish(from: number, to: number, options?: PublishOptions): boolean[];
  /** The numbers that were handled, once all is settled. */
  handled(): Promise<number[]>;
}

/** A queue that nobody reads until `handled` is called. */
async function queueOf(options: Partial<SubscribeOptions>, bus = shared.bus): Promise<Queue> {
  const file = join(temporaryFolder(), 'tally');
  const subscription = await bus.subscribe('a', tallies, { subscriberId: 's', ...options });
  subscription.pause();
  return {
    bus,
    subscription,
    publish: (from, to, more) =>
      Array.from({ length: to - from }, (_, index) => bus.publish('a', { n: from + index, file }, more ?? {})),
    handled: async () => {
      subscription.resume();
      await bus.idle();
      return linesOf(file).map(Number);
    },
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

describe('a queue that fills up', () => {
  it('says so at its high watermark, and again when it is down at the low one', async () => {
    const { bus, publish, handled } = await queueOf({ maxQueueSize: 10 });
    const told: string[] = [];
    bus.on('pressure', ({ subscriberId, deliveries }) => told.push(`pressure ${subscriberId} ${deliveries}`));
    bus.on('drain', ({ deliveries }) => told.push(deliveries <= 5 ? 'drain' : `drain at ${deliveries}`));
    publish(0, 7);
    expect(told).toEqual([]);
    publish(7, 10);
    // Listeners run once the code that publishes has ended.
    await undefined;
    expect(told).toEqual(['pressure s 8']);
    expect(bus.getHealthStatus()).toMatchObject({ status: 'degraded', subscriptions: [{ pressed: true }] });
    let isReady = false;
    const ready = bus.ready('a').then(() => {
      isReady = true;
    });
    await bus.ready('b');
    await new Promise((resume) => setTimeout(resume, 10));
    expect(isReady).toBe(false);
    await handled();
    await ready;
    await bus.ready();
    expect(told).toEqual(['pressure s 8', 'drain']);
    expect(bus.getHealthStatus().subscriptions[0]?.pressed).toBe(false);
    await expect(bus.ready('not a topic' as 'a')).rejects.toMatchObject({ code: 'BUSBAR_INVALID_TOPIC' });
  });

  it('leaves the message as it is for the other queues, though a listener publishes another', async () => {
    const { bus, subscription } = await queueOf({ maxQueueSize: 5 });
    const seen: unknown[] = [];
    await bus.subscribe('a', (payload) => void seen.push(payload), { subscriberId: 'beside' });
    await bus.subscribe('alert', () => undefined, { subscriberId: 'alerted' });
    bus.once('pressure', () => bus.publish('alert', { text: 'ALERT!!' }));
    for (let n = 0; n < 5; n++) bus.publish('a', { text: `order ${n}` });
    await subscription.unsubscribe({ drain: false });
    await bus.idle();
    expect(seen).toEqual(range(0, 5).map((n) => ({ text: `order ${n}` })));
  });

  it('lets publishers wait that want to, in their order, and loses nothing', async () => {
    const { bus, subscription, handled } = await queueOf(
      { maxQueueSize: 8, overflow: 'reject' },
      await shared.beside(),
    );
    const file = join(temporaryFolder(), 'tally');
    subscription.resume();
    await Promise.all(range(0, 200).map((n) => bus.publishAsync('a', { n, file })));
    await handled();
    expect(linesOf(file).map(Number)).toEqual(range(0, 200));
    expect(accountOf(bus, 's')).toMatchObject({ routed: 200, succeeded: 200 });
    await expect(bus.publishAsync('a', 1, { ttlMs: -1 })).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
    await bus.stop();
    await expect(bus.publishAsync('a', 1)).rejects.toMatchObject({ code: 'BUSBAR_NOT_RUNNING' });
  });

  it('tells whoever waits for it, or tries again and again, that the bus stops', async () => {
    const { bus, publish } = await queueOf({ maxQueueSize: 10 }, await shared.beside());
    const codeOf = (failing: Promise<unknown>): Promise<unknown> =>
      failing.catch(({ code, message }) => code ?? message);
    publish(0, 10);
    const waiting = codeOf(bus.ready('a'));
    let tries = 0;
    const tryOn = async (): Promise<void> => {
      while (!bus.publish('not a topic', 1)) {
        if (++tries > 1000) throw new Error('nothing else has had its turn');
        await bus.ready('b');
      }
    };
    const trying = [codeOf(tryOn()), codeOf(tryOn())];
    await new Promise((resume) => setImmediate(resume));
    await bus.stop({ drain: false });
    expect(await Promise.all([waiting, ...trying])).toEqual(Array(3).fill('BUSBAR_NOT_RUNNING'));
    await expect(makeBus({ errorLogDir: temporaryFolder() }).ready()).rejects.toMatchObject({
      code: 'BUSBAR_NOT_RUNNING',
    });
  });

  it('is full by its limits alone: a full ring refuses nothing', async () => {
    const { publish, handled } = await queueOf({ maxQueueSize: 1500, overflow: 'reject' });
    expect(publish(0, 1501).lastIndexOf(true)).toBe(1499);
    expect(await handled()).toEqual(range(0, 1500));
  });

  it('counts the bytes that lie in rings', async () => {
    const { bus } = shared;
    const subscription = await bus.subscribe('a', tallies, {
      subscriberId: 's',
      maxQueueBytes: 1000,
      overflow: 'reject',
    });
    subscription.pause();
    const accepted = Array.from({ length: 11 }, () => bus.publish('a', Buffer.alloc(96)));
    expect(accepted).toEqual([...Array(10).fill(true), false]);
    expect(accountOf(bus, 's')).toMatchObject({ pending: 10, dropped: 1 });
  });
});

describe('a full queue', () => {
  it("with 'reject' drops the newcomer", async () => {
    const { bus, publish, handled } = await queueOf({ maxQueueSize: 4, overflow: 'reject' });
    expect(publish(0, 6)).toEqual([true, true, true, true, false, false]);
    expect(await handled()).toEqual(range(0, 4));
    expect(accountOf(bus, 's')).toMatchObject({ routed: 6, succeeded: 4, dropped: 2, deadLettered: 0 });
  });

  it("with 'dead-letter' keeps the newcomer for later", async () => {
    const { bus, publish, handled } = await queueOf({ maxQueueSize: 4, overflow: 'dead-letter' });
    expect(publish(0, 6)).toEqual([true, true, true, true, false, false]);
    expect(await handled()).toEqual(range(0, 4));
    const letters = await lettersOf(bus);
    expect(letters.map(({ reason, message }) => [reason, (message.payload as { n: number }).n])).toEqual([
      ['overflow', 4],
      ['overflow', 5],
    ]);
  });

  it("with 'drop-oldest' keeps the newest, and never drops a higher priority for a lower one", async () => {
    const { bus, publish, handled } = await queueOf({ maxQueueSize: 8, overflow: 'drop-oldest' });
    // One of each priority is in a ring already.
    publish(0, 8);
    expect(publish(8, 11)).toEqual([true, true, true]);
    expect(publish(11, 12, { priority: 'low' })).toEqual([false]);
    expect(publish(12, 13, { priority: 'critical' })).toEqual([true]);
    expect((await handled()).sort((a, b) => a - b)).toEqual([0, 5, 6, 7, 8, 9, 10, 12]);
    expect(accountOf(bus, 's')).toMatchObject({ routed: 13, succeeded: 8, dropped: 5, deadLettered: 0 });
  });

  it("with 'drop-low' lets the lowest give way to what is above it", async () => {
    const { bus, publish, handled } = await queueOf({ maxQueueSize: 8, overflow: 'drop-low' });
    publish(0, 4, { priority: 'low' });
    publish(4, 8);
    expect(publish(8, 12, { priority: 'high' })).toEqual([true, true, true, true]);
    expect(publish(12, 13)).toEqual([false]);
    expect((await handled()).sort((a, b) => a - b)).toEqual([0, 4, 6, 7, 8, 9, 10, 11]);
    expect(accountOf(bus, 's')).toMatchObject({ routed: 13, succeeded: 8, dropped: 5 });
  });

  it('counts, and evicts, what is parked behind a delivery that waits for its retry', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const retry = { message_processing_error: { maxRetries: 1, backoffMs: 100, jitter: false } };
    const options = { subscriberId: 's', maxQueueSize: 8, overflow: 'drop-oldest', retry } as const;
    await bus.subscribe('a', follows, options);
    const publish = (n: number) =>
      bus.publish('a', { stream: 'k', n, ledger, deeds: n === 0 ? ['throw'] : [] }, { key: 'k' });
    publish(0);
    while (bus.getHealthStatus().subscriptions[0]?.retrying !== 1) await new Promise((resume) => setImmediate(resume));
    for (const n of range(1, 20)) expect(publish(n)).toBe(true);
    await bus.idle();
    // The one that waits for its retry is one of the eight; what is parked never was in a ring, where one would run.
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 8, dropped: 12 });
    const done = linesOf(ledger)
      .filter((line) => line.endsWith('done'))
      .map((line) => Number(line.split(' ')[1]));
    expect(done).toEqual([0, ...range(13, 20)]);
  });
});

describe('a rate limit', () => {
  const limits = { perSecond: 10, burst: 2 } as const;
  const clock = new SteppedClock();
  const stepped = shareBus({ clock });
  const fewMs = () => new Promise((resume) => setTimeout(resume, 10));

  it.each([
    ['on main', undefined],
    ['on workers, in all lanes together', doubles],
  ])('lets handlers start so often, %s', async (_where, handler) => {
    const { bus } = stepped;
    const start = clock.elapsed();
    const options = { subscriberId: 's', rateLimit: limits, lanes: 2 } as const;
    await bus.subscribe('a', handler ?? (() => undefined), options);
    for (let n = 0; n < 6; n++) expect(bus.publish('a', n, { key: `k${n}` })).toBe(true);
    const counted: number[] = [];
    for (const ms of [0, 99, 1, 100, 200]) {
      clock.step(ms);
      const { succeeded } = accountOf(bus, 's');
      const due = counted.length === 0 ? 2 : Math.min(6, 2 + Math.floor((clock.elapsed() - start) / 100));
      while (accountOf(bus, 's').succeeded < due) await fewMs();
      await fewMs();
      counted.push(accountOf(bus, 's').succeeded);
      expect(succeeded).toBeLessThanOrEqual(due);
    }
    expect(counted).toEqual([2, 2, 3, 4, 6]);
  });

  it('lets no more start after a pause than its burst', async () => {
    const { bus } = stepped;
    const subscription = await bus.subscribe('a', doubles, { subscriberId: 's', rateLimit: limits });
    subscription.pause();
    for (let n = 0; n < 20; n++) bus.publish('a', n);
    for (let second = 0; second < 3; second++) clock.step(1000);
    subscription.resume();
    while (accountOf(bus, 's').succeeded < 2) await fewMs();
    await fewMs();
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 2, pending: 18 });
  });
});
