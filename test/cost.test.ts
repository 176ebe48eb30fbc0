// What a message costs, in counts and ratios that a slower machine has as well. Times are for `npm run bench`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { MessageBus } from '../src/index.js';
import { type Clock, systemClock } from '../src/shared/clock.js';
import doubles from './fixtures/doubles.js';
import waitsForAFile from './fixtures/waits-for-a-file.js';
import { accountOf, fixture, startBus, temporaryFolder } from './test-bus.js';

const MESSAGES = 1000;
/** As light as a bus can be, where only what main does is counted. */
const LIGHT = { spareThreads: 0, enableErrorHandling: false };

const atomics = Atomics as unknown as Record<string, (...values: unknown[]) => unknown>;
const OPERATIONS = ['load', 'store', 'add', 'sub', 'exchange', 'compareExchange', 'notify'];
const originals = OPERATIONS.map((name) => [name, atomics[name]] as const);
afterEach(() => {
  for (const [name, original] of originals) Object.assign(atomics, { [name]: original });
});

/** How often this thread calls each while `run` runs. */
function countAtomics(run: () => void): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [name, original] of originals) {
    counts[name] = 0;
    atomics[name] = (...values) => {
      counts[name] = (counts[name] as number) + 1;
      return (original as (...values: unknown[]) => unknown)(...values);
    };
  }
  run();
  for (const [name, original] of originals) Object.assign(atomics, { [name]: original });
  return counts;
}

function publishMany(bus: MessageBus, payload: unknown): void {
  for (let count = 0; count < MESSAGES; count++) bus.publish('a', payload);
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >> 1] as number;
}

describe('publishing', () => {
  it('to a lane that works costs one atomic load and one store, and wakes nobody', async () => {
    const bus = await startBus({ spareThreads: 0 });
    await bus.subscribe('a', waitsForAFile, { subscriberId: 's' });
    const file = join(temporaryFolder(), 'go-on');
    bus.publish('a', file);
    while (bus.getHealthStatus().subscriptions[0]?.inFlight !== 1) await new Promise((resume) => setImmediate(resume));
    const { load = 0, store = 0, notify = 0, ...others } = countAtomics(() => publishMany(bus, ''));
    writeFileSync(file, '');
    await bus.idle();
    expect(notify).toBe(0);
    // A few more: whether the ring is full is asked now and then.
    expect({ load, isFew: load < MESSAGES * 2 }).toEqual({ load, isFew: true });
    expect({ store, isFew: store < MESSAGES * 2 }).toEqual({ store, isFew: true });
    expect(others).toEqual({ add: 0, sub: 0, exchange: 0, compareExchange: 0 });
    expect(accountOf(bus, 's').succeeded).toBe(MESSAGES + 1);
  });

  it('leaves little for the garbage collector', async () => {
    const bus = await startBus(LIGHT);
    await bus.subscribe('a', doubles, { subscriberId: 's' });
    const bytes: number[] = [];
    for (let round = 0; round < 9; round++) {
      const before = process.memoryUsage().heapUsed;
      publishMany(bus, 21);
      bytes.push((process.memoryUsage().heapUsed - before) / MESSAGES);
      await bus.idle();
    }
    // About 400 bytes; a closure, a timer or a promise for each message would show, and so would an Error.
    expect(median(bytes)).toBeLessThan(1000);
  });

  it('encodes a message once, however many receive it', async () => {
    const bus = await startBus(LIGHT);
    let reads = 0;
    const payload = {
      get value() {
        reads++;
        return 21;
      },
    };
    const readsOf = (topic: string): number => {
      reads = 0;
      expect(bus.publish(topic, payload)).toBe(true);
      return reads;
    };
    await bus.subscribe('one', () => undefined, { subscriberId: 's' });
    for (let index = 0; index < 10; index++) await bus.subscribe('ten', () => undefined, { subscriberId: `s${index}` });
    const alone = readsOf('one');
    expect(alone).toBeGreaterThan(0);
    expect(readsOf('ten')).toBe(alone);
    await bus.idle();
  });

  it('costs the same beside 500 subscriptions that do not match', async () => {
    const buses = [await startBus(LIGHT), await startBus(LIGHT)] as const;
    for (const bus of buses) await bus.subscribe('a', doubles, { subscriberId: 's' });
    for (let index = 0; index < 500; index++) {
      await buses[1].subscribe(`idle.${index}.*`, () => undefined, { subscriberId: `${index}` });
    }
    const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as [number, number];
    // Short rounds: on a busy machine some of many are left alone.
    for (let round = 0; round < 40; round++) {
      for (const place of [0, 1] as const) {
        const began = performance.now();
        for (let count = 0; count < 100; count++) buses[place].publish('a', 21);
        least[place] = Math.min(least[place], performance.now() - began);
      }
      if (round % 10 === 0) await Promise.all(buses.map((bus) => bus.idle()));
    }
    // A look at each of them would be fifty times as much.
    expect(least[1] / least[0]).toBeLessThan(3);
  });
});

describe('handling', () => {
  it('costs the lane a few atomic stores a message, and wakes nobody when it succeeds', async () => {
    const bus = await startBus({ spareThreads: 0 });
    await bus.subscribe('a', fixture('counts-atomics'), { subscriberId: 's' });
    const told: Record<string, number>[] = [];
    for (let round = 0; round < 3; round++) {
      publishMany(bus, 'x');
      await bus.idle();
      told.push(await bus.request('a', 'tell'));
    }
    const { store = 0, notify = 0, ...others } = told.at(-1) as Record<string, number>;
    // Running word, state, head, count of successes, the breaker's: six at the time of writing.
    expect({ store, isFew: store < MESSAGES * 10 }).toEqual({ store, isFew: true });
    // The reply to the question wakes main.
    expect({ notify, isFew: notify < MESSAGES / 10 }).toEqual({ notify, isFew: true });
    for (const [name, count] of Object.entries(others)) {
      expect({ name, count, isFew: count < MESSAGES }).toEqual({ name, count, isFew: true });
    }
  });

  it('starts no timer for a message, nor for a request', async () => {
    let timers = 0;
    const counting: Clock = {
      ...systemClock,
      after: (...of) => {
        timers++;
        return systemClock.after(...of);
      },
      every: (...of) => {
        timers++;
        return systemClock.every(...of);
      },
    };
    const bus = await startBus({ spareThreads: 0, clock: counting });
    await bus.subscribe('a', doubles, { subscriberId: 's' });
    timers = 0;
    publishMany(bus, 21);
    const replies = Array.from({ length: MESSAGES }, (_, n) => bus.request('a', n));
    expect(await Promise.all(replies)).toEqual(Array.from({ length: MESSAGES }, (_, n) => n * 2));
    await bus.idle();
    expect(timers).toBeLessThan(MESSAGES / 10);
  });
});
