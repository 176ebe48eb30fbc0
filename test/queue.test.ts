// What waits, in which order, and what gives when it is too much.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { QueueLimit } from '../src/queue-limit.js';
import type { Delivery } from '../src/shared/delivery.js';
import { PRIORITIES, type Priority } from '../src/shared/message.js';
import { Backlog } from '../src/threads/backlog.js';
import { Turns, type TurnTaker } from '../src/threads/turns.js';
import tallies from './fixtures/tallies.js';
import { accountOf, lettersOf, linesOf, startBus, temporaryFolder } from './test-bus.js';

function deliveryOf(number: number, priority: Priority): Delivery {
  return { number, priority, bytes: new Uint8Array(number % 7) } as Delivery;
}

describe('a backlog', () => {
  it('behaves as one queue for each priority', () => {
    const action = fc.oneof(
      fc.record({ push: fc.constantFrom(...PRIORITIES) }),
      fc.record({ prepend: fc.array(fc.constantFrom(...PRIORITIES), { maxLength: 4 }) }),
      fc.record({ take: fc.nat(5) }),
      fc.record({ evict: fc.constantFrom(...PRIORITIES) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const backlog = new Backlog();
        const model = new Map<Priority, Delivery[]>(PRIORITIES.map((priority) => [priority, []]));
        const all = () => [...PRIORITIES].reverse().flatMap((priority) => model.get(priority) ?? []);
        for (const [number, step] of actions.entries()) {
          if ('push' in step) {
            backlog.push(deliveryOf(number, step.push));
            model.get(step.push)?.push(deliveryOf(number, step.push));
          } else if ('prepend' in step) {
            const added = step.prepend.map((priority, index) => deliveryOf(number * 10 + index, priority));
            backlog.prepend(added);
            for (const delivery of [...added].reverse()) model.get(delivery.priority)?.unshift(delivery);
          } else if ('evict' in step) {
            expect(backlog.evict(step.evict)?.number).toBe(model.get(step.evict)?.shift()?.number);
          } else {
            const expected = all().slice(0, step.take);
            const taken: Delivery[] = [];
            backlog.moveTo((delivery) => taken.length < step.take && taken.push(delivery) > 0);
            expect(taken).toEqual(expected);
            for (const { priority } of expected) model.get(priority)?.shift();
          }
          expect(backlog.size).toBe(all().length);
          expect(backlog.bytes).toBe(all().reduce((sum, { bytes }) => sum + bytes.byteLength, 0));
        }
      }),
    );
  });
});

describe('the limit of a queue', () => {
  const limit = new QueueLimit({ deliveries: 10, bytes: 1000 });
  const full = { deliveries: 10, bytes: 0 };

  it('lets low priorities give way, then grows for a time, then refuses, then shrinks', () => {
    expect(limit.admit({ deliveries: 9, bytes: 999 }, true, 0)).toBe('accept');
    expect(limit.admit({ deliveries: 0, bytes: 1000 }, true, 0)).toBe('evict');
    expect(limit.admit(full, true, 0)).toBe('evict');
    expect(limit.admit(full, false, 0)).toBe('accept');
    expect(limit.expansions).toBe(1);
    expect(limit.admit({ deliveries: 14, bytes: 0 }, false, 1)).toBe('accept');
    expect(limit.admit({ deliveries: 15, bytes: 0 }, false, 2)).toBe('refuse');
    expect(limit.admit({ deliveries: 15, bytes: 0 }, false, 30_001)).toBe('refuse');
    expect(limit.admit(full, false, 30_001)).toBe('accept');
    expect(limit.expansions).toBe(2);
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

describe('a subscription', () => {
  it('handles higher priorities first, and starves none', async () => {
    const bus = await startBus();
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
    const bus = await startBus();
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
