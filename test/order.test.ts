// Order: each delivery of a stream is started after the verdict on the one before it, whatever goes wrong.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { MessageBus, MessageBusOptions, Ordering, PublishOptions, SubscribeOptions } from '../src/index.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';
import follows, { type Deed } from './fixtures/follows.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf, linesOf, temporaryFolder } from './test-bus.js';

/** A linear congruential generator (Numerical Recipes): a seed tells the run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

/**
 * What a ledger says against the order of its streams; empty: nothing. The same one may start again after it was done:
 * when another one ends their thread just then.
 */
function disorder(lines: readonly string[]): string[] {
  const found: string[] = [];
  const last = new Map<string, number>();
  for (const line of lines) {
    const [stream = '', text, what] = line.split(' ');
    const n = Number(text);
    const before = last.get(stream) ?? -1;
    if (what === 'start' ? n < before : n !== before) found.push(`${line} after ${before}`);
    last.set(stream, n);
  }
  return found;
}

const RETRIES: MessageBusOptions['retry'] = {
  message_processing_error: { maxRetries: 2, backoffMs: 3 },
  connection_error: { maxRetries: 2, backoffMs: 3 },
  timeout_error: { maxRetries: 1, backoffMs: 3 },
};
const MESSAGES = Number(process.env['BUSBAR_ORDER_MESSAGES'] ?? 120);
const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const;

interface Shape extends Partial<SubscribeOptions> {
  readonly name: string;
  readonly keys: number;
  /** Messages that have no key; they are one stream for each priority, or none at all. */
  readonly unkeyed: number;
}

const SHAPES: readonly Shape[] = [
  { name: 'one lane', keys: 12, unkeyed: 0.2 },
  { name: 'two lanes', keys: 150, unkeyed: 0, lanes: 2 },
  { name: 'four at once', keys: 6, unkeyed: 0, concurrency: 4 },
  { name: 'a strict lane', keys: 4, unkeyed: 0.3, ordering: 'strict' },
];

describe('under random failures and deaths of threads', () => {
  const seed = Number(process.env['BUSBAR_SEED'] ?? Math.floor(Math.random() * 1e9));
  const shared = shareBus({ threads: 2, retry: RETRIES });

  it.each(SHAPES)(
    `$name keeps the order of each stream (BUSBAR_SEED=${seed})`,
    async ({ name, keys, unkeyed, ...shape }) => {
      const random = randomFrom(seed);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
      const deadly = new Set(Array.from({ length: 2 }, () => Math.floor(random() * MESSAGES)));
      const deedsOf = (n: number): Deed[] => {
        if (deadly.has(n)) return [pick(['exit', 'loop'] as const)];
        const count = random() < 0.15 ? 1 + Math.floor(random() * 4) : 0;
        return Array.from({ length: count }, () =>
          pick(['throw', 'throw', 'throw', 'later', 'give up', 'wait'] as const),
        );
      };
      const { bus } = shared;
      const ledger = join(temporaryFolder(), 'ledger');
      // Long enough for those that do not loop: on a busy machine, their threads would be ended without end.
      const options = { subscriberId: 's', timeoutMs: 200, graceMs: 20, breaker: false, ...shape } as const;
      await bus.subscribe('a', follows, options);
      const counts = new Map<string, number>();
      for (let n = 0; n < MESSAGES; n++) {
        const priority = pick(PRIORITIES);
        const key = random() < unkeyed ? undefined : `k${Math.floor(random() * keys)}`;
        const stream = `${priority}:${key ?? 'none'}`;
        const place = counts.get(stream) ?? 0;
        counts.set(stream, place + 1);
        const payload = { stream, n: place, ledger, deeds: deedsOf(n) };
        expect(bus.publish('a', payload, { priority, ...(key === undefined ? {} : { key }) })).toBe(true);
        if (random() < 0.02) await new Promise((resume) => setTimeout(resume, 1));
      }
      await bus.idle();
      const lines = linesOf(ledger);
      expect(disorder(lines)).toEqual([]);
      const { succeeded, deadLettered } = accountOf(bus, 's');
      expect(succeeded + deadLettered).toBe(MESSAGES);
      expect(new Set(lines.filter((line) => line.endsWith('done'))).size).toBeGreaterThanOrEqual(succeeded);
      expect(await lettersOf(bus)).toHaveLength(deadLettered);
    },
  );
});

describe('those that were caught in the end of a thread', () => {
  const shared = shareBus({ threads: 2, retry: { connection_error: { maxRetries: 3, backoffMs: 0 } } });

  it('run again in quarantine, where only messages of their keys wait for them', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    await bus.subscribe('a', follows, { subscriberId: 's', concurrency: 2, breaker: false });
    const publish = (stream: string, n: number, deeds: readonly Deed[], options: PublishOptions = {}): void => {
      bus.publish('a', { stream, n, ledger, deeds }, options);
    };
    // Caught once, it goes on when the last message is done, which its own lane has to handle meanwhile.
    publish('a', 1, ['wait for b', 'wait for b'], { key: 'k' });
    publish('x', 1, ['exit', 'exit', 'exit']);
    publish('a', 2, [], { key: 'k' });
    publish('b', 1, []);
    await bus.idle();
    const lines = linesOf(ledger);
    expect(lines.filter((line) => line === 'a 1 start')).toHaveLength(2);
    expect(lines.indexOf('b 1 done')).toBeLessThan(lines.indexOf('a 1 done'));
    expect(lines.indexOf('a 1 done')).toBeLessThan(lines.indexOf('a 2 start'));
    expect(await lettersOf(bus)).toMatchObject([{ reason: 'poison', failed: 2, started: 3 }]);
    expect(accountOf(bus, 's')).toEqual({ routed: 4, succeeded: 3, deadLettered: 1, dropped: 0, pending: 0 });
    expect(bus.getHealthStatus().subscriptions).toMatchObject([{ lanes: 1, inFlight: 0 }]);
  });

  it.each([1, 2])('have succeeded once main has heard so, whatever ends their thread then: %s at once', async (n) => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    await bus.subscribe('a', follows, { subscriberId: 's', concurrency: n, breaker: false });
    bus.publish('a', { stream: 'a', n: 1, ledger, deeds: ['exit', 'exit once told'] }, { key: 'k' });
    bus.publish('a', { stream: 'a', n: 2, ledger, deeds: ['throw', 'exit once told'] }, { key: 'k' });
    bus.publish('a', { stream: 'a', n: 3, ledger, deeds: [] }, { key: 'k' });
    await bus.idle();
    const story = ['1 start', '1 start', '1 done', '2 start', '2 start', '2 done', '3 start', '3 done'];
    expect(linesOf(ledger)).toEqual(story.map((line) => `a ${line}`));
    expect(accountOf(bus, 's')).toEqual({ routed: 3, succeeded: 3, deadLettered: 0, dropped: 0, pending: 0 });
    expect(await lettersOf(bus)).toEqual([]);
  });
});

describe('while a delivery waits for its retry', () => {
  const RETRY_MS = 1000;
  const clock = new SteppedClock();
  const retry = { message_processing_error: { maxRetries: 1, backoffMs: RETRY_MS, jitter: false } };
  const shared = shareBus({ clock, retry });
  type Published = readonly [stream: string, n: number, deeds: readonly Deed[], options?: PublishOptions];

  async function run(ordering: Ordering, messages: readonly Published[], rest: Partial<SubscribeOptions> = {}) {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const options = { subscriberId: 's', ordering, timeoutMs: 1e6, ...rest } as const;
    await bus.subscribe('a', follows, options);
    const publish = ([stream, n, deeds, more = {}]: Published) => bus.publish('a', { stream, n, ledger, deeds }, more);
    for (const message of messages) publish(message);
    return { bus, clock, publish, lines: () => linesOf(ledger) };
  }

  /** Until it is so, in real time. */
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resume) => setTimeout(resume, 1));
  }

  const pendingOf = (bus: MessageBus): number => accountOf(bus, 's').pending;

  /** Main has heard of the failure: time may be stepped. */
  const isRetrying = (bus: MessageBus): boolean => bus.getHealthStatus().subscriptions[0]?.retrying === 1;

  it('its key waits and the others flow', async () => {
    const { bus, clock, publish, lines } = await run('key', [
      ['a', 0, ['throw'], { key: 'a' }],
      ['a', 1, [], { key: 'a' }],
      ['b', 0, [], { key: 'b' }],
      ['none', 0, []],
    ]);
    await until(() => isRetrying(bus) && pendingOf(bus) === 2 && lines().length === 5);
    publish(['a', 2, [], { key: 'a' }]);
    publish(['b', 1, [], { key: 'b' }]);
    await until(() => pendingOf(bus) === 3 && lines().length === 7);
    clock.step(RETRY_MS);
    await until(() => pendingOf(bus) === 0);
    expect(lines().filter((line) => line.startsWith('a'))).toEqual([
      'a 0 start',
      'a 0 start',
      'a 0 done',
      'a 1 start',
      'a 1 done',
      'a 2 start',
      'a 2 done',
    ]);
  });

  it('the others of its key go on when it is given up', async () => {
    const { bus, clock, lines } = await run('key', [
      ['a', 0, ['throw', 'throw'], { key: 'a' }],
      ['a', 1, [], { key: 'a' }],
      ['b', 0, ['give up'], { key: 'b' }],
      ['b', 1, [], { key: 'b' }],
    ]);
    await until(() => isRetrying(bus) && accountOf(bus, 's').succeeded === 1);
    expect(lines()).not.toContain('a 1 start');
    clock.step(RETRY_MS);
    await until(() => pendingOf(bus) === 0);
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 2, deadLettered: 2 });
    expect(disorder(lines())).toEqual([]);
  });

  it('messages without a key wait for one another, and keys flow', async () => {
    const { bus, clock, lines } = await run('key', [
      ['none', 0, ['throw']],
      ['none', 1, []],
      ['a', 0, [], { key: 'a' }],
      ['high', 0, [], { priority: 'high' }],
    ]);
    await until(() => isRetrying(bus) && accountOf(bus, 's').succeeded === 2);
    expect(pendingOf(bus)).toBe(2);
    clock.step(RETRY_MS);
    await until(() => pendingOf(bus) === 0);
    expect(disorder(lines())).toEqual([]);
  });

  it('a strict lane stands still', async () => {
    const { bus, clock, lines } = await run('strict', [
      ['a', 0, ['throw'], { key: 'a' }],
      ['b', 0, [], { key: 'b' }],
      ['c', 0, [], { priority: 'low' }],
    ]);
    await until(() => isRetrying(bus));
    await new Promise((resume) => setTimeout(resume, 20));
    expect(lines()).toEqual(['a 0 start']);
    clock.step(RETRY_MS);
    await until(() => pendingOf(bus) === 0);
    expect(lines().slice(0, 3)).toEqual(['a 0 start', 'a 0 start', 'a 0 done']);
  });

  it('those that others have passed, because one of their key ran, wait for it in their order', async () => {
    const { bus, clock, lines } = await run(
      'key',
      [
        ['a', 0, ['wait for b', 'throw'], { key: 'a' }],
        ['a', 1, ['throw'], { key: 'a' }],
        ['a', 2, [], { key: 'a' }],
        ['b', 0, [], { key: 'b' }],
        ['b', 1, [], { key: 'b' }],
        ['a', 3, [], { key: 'a' }],
      ],
      { concurrency: 2 },
    );
    await until(() => isRetrying(bus));
    expect(lines().slice(-3)).toEqual(['b 1 done', 'a 0 done', 'a 1 start']);
    clock.step(RETRY_MS);
    await until(() => pendingOf(bus) === 0);
    expect(disorder(lines().filter((line) => line.startsWith('a')))).toEqual([]);
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 6 });
  });

  it('nothing waits where no order is kept', async () => {
    const { bus, clock, lines } = await run('none', [
      ['a', 0, ['throw'], { key: 'a' }],
      ['a', 1, [], { key: 'a' }],
    ]);
    await until(() => isRetrying(bus) && lines().includes('a 1 done') && pendingOf(bus) === 1);
    clock.step(RETRY_MS);
    await until(() => pendingOf(bus) === 0);
  });
});
