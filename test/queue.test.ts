// What waits, in which order, and what gives when it is too much.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LiveSubscription } from '../src/live-subscription.js';
import { QueueLimit } from '../src/queue-limit.js';
import type { ResolvedSubscribeOptions } from '../src/resolved-options.js';
import { systemClock } from '../src/shared/clock.js';
import type { Delivery } from '../src/shared/delivery.js';
import { PRIORITIES, type Priority } from '../src/shared/message.js';
import { Backlog } from '../src/threads/backlog.js';
import { Lane } from '../src/threads/lane.js';
import type { LaneEvents, LaneOptions, LaneSurroundings } from '../src/threads/lane-contract.js';
import type { AnyLane } from '../src/threads/threads.js';
import { Turns, type TurnTaker } from '../src/threads/turns.js';
import tallies from './fixtures/tallies.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf, linesOf, temporaryFolder } from './test-bus.js';

function deliveryOf(number: number, priority: Priority): Delivery {
  return { number, priority, bytes: new Uint8Array(number % 7) } as Delivery;
}

describe('a backlog', () => {
  it('behaves as one queue for each priority', () => {
    const action = fc.oneof(
      fc.record({ push: fc.constantFrom(...PRIORITIES), times: fc.constantFrom(1, 1, 1, 700) }),
      fc.record({ prepend: fc.array(fc.constantFrom(...PRIORITIES), { maxLength: 4 }) }),
      fc.record({ take: fc.oneof(fc.nat(5), fc.nat(1500)) }),
      fc.record({ evict: fc.constantFrom(...PRIORITIES) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 100, size: 'max' }), (actions) => {
        const backlog = new Backlog();
        const model = new Map<Priority, Delivery[]>(PRIORITIES.map((priority) => [priority, []]));
        const sizes: number[][] = [];
        const expected: number[][] = [];
        const all = () => [...PRIORITIES].reverse().flatMap((priority) => model.get(priority) ?? []);
        for (const [number, step] of actions.entries()) {
          if ('push' in step) {
            for (let n = 0; n < step.times; n++) {
              const delivery = deliveryOf(number * 1000 + n, step.push);
              backlog.push(delivery);
              model.get(step.push)?.push(delivery);
            }
          } else if ('prepend' in step) {
            const added = step.prepend.map((priority, index) => deliveryOf(number * 1000 + index, priority));
            backlog.prepend(added);
            for (const delivery of [...added].reverse()) model.get(delivery.priority)?.unshift(delivery);
          } else if ('evict' in step) {
            const oldest = backlog.oldest(step.evict);
            expect(oldest?.number).toBe(model.get(step.evict)?.shift()?.number);
            if (oldest !== undefined) backlog.take(oldest);
          } else {
            const first = all().slice(0, step.take);
            const taken: Delivery[] = [];
            backlog.moveTo((delivery) => taken.length < step.take && taken.push(delivery) > 0);
            expect(taken.map((one) => one.number)).toEqual(first.map((one) => one.number));
            for (const { priority } of first) model.get(priority)?.shift();
          }
          sizes.push([backlog.size, backlog.bytes]);
          expected.push([all().length, all().reduce((sum, { bytes }) => sum + bytes.byteLength, 0)]);
        }
        expect(sizes).toEqual(expected);
      }),
      { numRuns: 8 },
    );
  });
});

describe('the limit of a queue', () => {
  const most = { deliveries: 10, bytes: 1000 };
  const depth = (deliveries: number, bytes = 0) => ({ deliveries, bytes });

  it('is exact in deliveries and in bytes', () => {
    const limit = new QueueLimit(most);
    expect(limit.fits(depth(9), 0, 0)).toBe(true);
    expect(limit.fits(depth(10), 0, 0)).toBe(false);
    expect(limit.fits(depth(1, 900), 100, 0)).toBe(true);
    expect(limit.fits(depth(1, 900), 101, 0)).toBe(false);
  });

  it('lets in as many as it has counted, and not one more, without counting again', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 30, size: 'max' }), (sizes) => {
        const limit = new QueueLimit(most);
        let [deliveries, bytes] = [0, 0];
        for (const size of sizes) {
          if (!limit.hasRoom(size) && !limit.fits(depth(deliveries, bytes), size, 0)) {
            expect(deliveries + 1 > most.deliveries || bytes + size > most.bytes).toBe(true);
            continue;
          }
          deliveries++;
          bytes += size;
          expect(deliveries <= most.deliveries && bytes <= most.bytes).toBe(true);
        }
      }),
    );
  });

  it('grows once for a time, shrinks, and grows again only after it was below', () => {
    const limit = new QueueLimit(most);
    expect(limit.fits(depth(10), 0, 0)).toBe(false);
    expect(limit.expands(depth(10), 0, 0)).toBe(true);
    expect(limit.fits(depth(14), 0, 29_999)).toBe(true);
    expect(limit.fits(depth(15), 0, 29_999)).toBe(false);
    expect(limit.fits(depth(10), 0, 30_000)).toBe(false);
    expect(limit.expands(depth(10), 0, 30_000)).toBe(false);
    expect(limit.expansions).toBe(1);
    expect(limit.fits(depth(9), 0, 30_001)).toBe(true);
    expect(limit.expands(depth(10), 0, 30_002)).toBe(true);
    expect(limit.expansions).toBe(2);
  });

  it('is under pressure from its high watermark until it is down at the low one', () => {
    const limit = new QueueLimit(most);
    const seen = [7, 8, 9, 6, 5, 7, 8].map((deliveries) => [
      limit.presses(depth(deliveries)),
      limit.drains(depth(deliveries)),
      limit.isPressed,
    ]);
    expect(seen).toEqual([
      [false, false, false],
      [true, false, true],
      [false, false, true],
      [false, false, true],
      [false, true, false],
      [false, false, false],
      [true, false, true],
    ]);
    expect(new QueueLimit(most).presses(depth(1, 800))).toBe(true);
    expect(new QueueLimit({ deliveries: 1, bytes: 1000 }).presses(depth(1))).toBe(true);
  });
});

describe('turns', () => {
  function taker(): TurnTaker & { end(again?: boolean): void; isWanted: boolean; takes: number } {
    let finish: (again: boolean) => void = () => undefined;
    return {
      isWanted: false,
      takes: 0,
      take() {
        this.takes++;
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
      share(isWanted) {
        this.isWanted = isWanted;
      },
      end: (again = false) => finish(again),
    };
  }
  const settle = () => new Promise((resume) => setImmediate(resume));

  it('go round: who runs is asked to share while others wait, and queues again behind them', async () => {
    const turns = new Turns(1);
    const [a, b, c] = [taker(), taker(), taker()];
    for (const one of [a, b, b, c]) turns.request(one);
    expect([a.takes, b.takes, a.isWanted, turns.waiting]).toEqual([1, 0, true, 2]);
    a.end(true);
    await settle();
    expect([b.takes, c.takes, a.takes, turns.waiting]).toEqual([1, 0, 1, 2]);
    turns.cancel(a);
    b.end();
    await settle();
    expect([c.takes, c.isWanted, turns.waiting]).toEqual([1, false, 0]);
    c.end();
    await settle();
    expect(turns.running.size).toBe(0);
  });
});

describe('a turn', () => {
  it('that was granted to a lane at the moment of its pause is refused', async () => {
    let runs = 0;
    const shape = { ringBytes: 65_536, concurrency: 1, depth: 10 };
    const deadline = { timeoutMs: 1, maxTimeoutMs: 1, minTimeoutMs: 1, isObserved: false };
    const options = { names: { instance: 'i', pattern: 'a' }, shape, order: null, rate: null, breaker: null, deadline };
    const surroundings = { pool: { run: () => runs++ }, turns: new Turns(1), clock: systemClock };
    const lane = new Lane(
      { ...options, graceMs: 1, handler: { setupTimeoutMs: 1 } } as unknown as LaneOptions,
      surroundings as unknown as LaneSurroundings,
      {} as LaneEvents,
    );
    lane.pause();
    expect(await lane.take()).toBe(false);
    expect(runs).toBe(0);
  });
});

describe('a message without a key', () => {
  it.each([[3], [8]])('goes to the lane with the least work, of %s', (count) => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: count, maxLength: count }), fc.nat(100), (work, messages) => {
        const limits = { maxQueueSize: 1e6, maxQueueBytes: 1e6 };
        const options = { ...limits, lanes: count, concurrency: 1 } as ResolvedSubscribeOptions;
        const subscription = new LiveSubscription('a', options, null, systemClock, () => undefined);
        const lanes = work.map((unsettled) => ({ unsettled, waiting: { deliveries: 0, bytes: 0 }, offer: () => true }));
        subscription.lanes.push(...(lanes as unknown as AnyLane[]));
        for (let n = 0; n < messages; n++) {
          const least = Math.min(...lanes.map(({ unsettled }) => unsettled));
          for (const lane of lanes) {
            lane.offer = () => {
              expect(lane.unsettled).toBe(least);
              lane.unsettled++;
              return true;
            };
          }
          subscription.accept({ key: null, bytes: new Uint8Array(1) } as Delivery);
        }
        expect(lanes.reduce((sum, { unsettled }) => sum + unsettled, 0)).toBe(work.reduce((a, b) => a + b, messages));
      }),
      { numRuns: 30 },
    );
  });
});

describe('a subscription', () => {
  const shared = shareBus();

  it('handles higher priorities first, and starves none', async () => {
    const { bus } = shared;
    const file = join(temporaryFolder(), 'tally');
    const subscription = await bus.subscribe('a', tallies, { subscriberId: 's' });
    subscription.pause();
    const numberOf: Record<Priority, number> = { low: 1, normal: 2, high: 3, critical: 4 };
    for (let n = 0; n < 100; n++)
      for (const priority of PRIORITIES) bus.publish('a', { n: numberOf[priority], file }, { priority });
    subscription.resume();
    await bus.idle();
    const order = linesOf(file).map(Number);
    expect(order).toHaveLength(400);
    const average = (n: number) => order.reduce((sum, m, place) => (m === n ? sum + place : sum), 0) / 100;
    expect(average(4)).toBeLessThan(average(3));
    expect(average(3)).toBeLessThan(average(2));
    expect(average(2)).toBeLessThan(average(1));
    expect(order.indexOf(1)).toBeLessThan(100);
  });

  it('gives up low priorities first when its queue is full, and then the newcomers, and says so', async () => {
    const { bus } = shared;
    const file = join(temporaryFolder(), 'tally');
    const subscription = await bus.subscribe('a', tallies, { subscriberId: 's', maxQueueSize: 20 });
    subscription.pause();
    const accepted = Array.from({ length: 60 }, (_, n) =>
      bus.publish('a', { n, file }, { priority: n < 20 ? 'low' : 'normal' }),
    );
    expect(accepted.slice(0, 20)).toEqual(Array(20).fill(true));
    expect(accepted.at(-1)).toBe(false);
    subscription.resume();
    await bus.idle();
    const letters = await lettersOf(bus);
    expect(new Set(letters.map(({ reason, error_category: category }) => `${reason} ${category}`))).toEqual(
      new Set(['overflow queue_overflow']),
    );
    expect(letters.filter(({ priority }) => priority === 'low').length).toBeGreaterThan(5);
    expect(accountOf(bus, 's')).toMatchObject({
      routed: 60,
      succeeded: 60 - letters.length,
      deadLettered: letters.length,
    });
    expect(linesOf(file)).toHaveLength(60 - letters.length);
  });
});
