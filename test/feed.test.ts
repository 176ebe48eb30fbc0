// In which order a partition's messages go on, and what is noted of those that go on to another process.
import { describe, expect, it } from '@jest/globals';
import { SteppedClock } from '../src/testing/index.js';
import { claim } from '../src/transport/claim.js';
import type { Connection } from '../src/transport/connection.js';
import { highestOf, InOrder } from '../src/transport/in-order.js';
import { feeds, turns } from './feed-by-hand.js';

describe("a partition's feed", () => {
  it('gives back with the rest what waits for its lease: a handler would get it before its predecessors', async () => {
    const { feed, lease, seen, comes, marking } = feeds(0, 8);
    feed.start();
    await turns();
    for (const sequence of [7, 8, 9]) comes(sequence, 1);
    expect(seen).toEqual(['m7 after 1', 'm8 after 1']);
    await feed.pause();
    for (const ticket of feed.returnable(false)) ticket.release(1);
    await feed.settled();
    marking.isDone();
    await turns();
    expect(seen).toHaveLength(2);
    // The mark says that 7 and 8 may have been started before.
    const started = new Map([...lease.returned].map(([sequence, returned]) => [sequence, returned.started]));
    expect(started).toEqual(
      new Map([
        [7, 1],
        [8, 1],
        [9, 0],
      ]),
    );
    expect([...lease.returned.values()].map(({ deliveries }) => deliveries)).toEqual([1, 1, 1]);
    feed.close();
  });

  it('counts no process as lost with what comes here again before it is handed over', async () => {
    const held = feeds(2, 9000);
    held.feed.start();
    await turns();
    for (const [sequence, count] of [
      [6, 2],
      [6, 3],
      [5, 2],
    ] as const)
      held.comes(sequence, count);
    expect(held.seen).toEqual(['m5 after 1', 'm6 after 1']);
    held.feed.close();
    const doubted = feeds(0, 8);
    doubted.feed.start();
    await turns();
    for (const count of [1, 2]) doubted.comes(9, count);
    doubted.marking.isDone();
    doubted.lease.mark = 9000;
    await turns();
    expect(doubted.seen).toEqual(['m9 after 0']);
    doubted.feed.close();
  });

  it('hands over another message of a sequence that was settled: servers that were killed may give it away again', async () => {
    const { feed, seen, tickets, comes } = feeds(0, 9000);
    feed.start();
    await turns();
    for (const sequence of [7, 8]) comes(sequence, 1);
    tickets[0]?.settle('succeeded');
    comes(7, 2);
    comes(8, 2);
    expect(seen).toHaveLength(2);
    comes(7, 1, '1700000000000000001');
    comes(8, 1, '1700000000000000001');
    expect(seen.slice(2)).toEqual(['m7 after 1', 'm8 after 1']);
    // The first of its sequence is not acknowledged in the place of the other.
    tickets[1]?.settle('succeeded');
    expect(feed.unsettled).toBe(2);
    feed.close();
  });

  it('is not waited for once it is closed: what it had comes to another process', async () => {
    const { feed, seen, comes } = feeds(0, 9000);
    feed.start();
    await turns();
    comes(7, 1);
    expect(seen).toHaveLength(1);
    await feed.pause();
    const settled = feed.settled();
    feed.close();
    await settled;
    await feed.settled();
  });

  it('finds the highest sequence that is in doubt, however many are', () => {
    expect(highestOf(new Map(Array.from({ length: 200_000 }, (_, n) => [n === 7 ? 300_000 : n, n])))).toBe(300_000);
    expect(highestOf(new Map())).toBe(0);
  });

  it('asks servers less and less often that do not answer what is left to be handled', async () => {
    const clock = new SteppedClock();
    let asked = 0;
    const consumerState = (): Promise<never> => {
      asked++;
      return Promise.reject(new Error('no leader'));
    };
    const link = { isUp: true, consumerState } as unknown as Connection;
    const reports: unknown[] = [];
    const here = { has: () => false, isSame: () => false, countUpTo: () => 0 };
    const names = { stream: 's', consumer: 'c', subject: 'a', pullMs: 100 };
    const report = (thrown: unknown): void => void reports.push(thrown);
    let isOver = false;
    const claimed = claim({ connection: link, clock, ...names, here, report }, () => isOver);
    for (let step = 0; step < 400; step++) {
      await new Promise((resume) => setImmediate(resume));
      clock.step(25);
    }
    isOver = true;
    clock.step(1000);
    expect(await claimed).toBeUndefined();
    // In ten seconds.
    expect(asked).toBeGreaterThan(8);
    expect(asked).toBeLessThan(20);
    expect(reports).toHaveLength(1);
  });

  it('holds what came back until what was before it is here, also when requests end in vain', async () => {
    let deliveries = 2;
    const consumerState = () =>
      Promise.resolve({ unacknowledged: 2, requests: 0, undelivered: 0, deliveredUpTo: 2, settledUpTo: 0, deliveries });
    const read = (_stream: string, { seq }: { seq: number }) => Promise.resolve({ sequence: seq });
    const link = { isUp: true, consumerState, read, send: () => true, ask: () => Promise.resolve() };
    const handed: number[] = [];
    let asks = 0;
    const inOrder = new InOrder({
      ...{ connection: link as unknown as Connection, clock: new SteppedClock(), stream: 's', consumer: 'c' },
      ...{ subject: 'a', pullMs: 100, report: () => undefined, askNoMore: () => undefined, newAbove: () => undefined },
      flows: () => undefined,
      dropped: () => undefined,
      here: { has: () => false, isSame: () => false, countUpTo: () => 0 },
      hand: ({ delivery }) => void handed.push(delivery.sequence),
      ask: () => asks++,
    });
    const isAsked = async (times: number): Promise<void> => {
      while (asks < times && handed.length === 0) await new Promise((resume) => setImmediate(resume));
    };
    const comes = (sequence: number): void => {
      const delivery = { sequence, count: 2, number: ++deliveries, stamp: 0 };
      inOrder.came({ delivery, message: { subject: 'a', data: Buffer.of() }, reply: '', data: Buffer.of() });
    };
    inOrder.begin();
    await isAsked(1);
    comes(2);
    for (let round = 2; round < 12; round++) {
      inOrder.ended();
      await isAsked(round);
    }
    expect(handed).toEqual([]);
    // All that may come, and is kept from coming again.
    expect(inOrder.wanted).toBe(3);
    expect([...inOrder.held].map(({ delivery }) => delivery.sequence)).toEqual([2]);
    comes(1);
    expect(handed).toEqual([1, 2]);
  });
});
