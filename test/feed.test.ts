// In which order a partition's messages go on, and what is noted of those that go on to another process.
import { describe, expect, it } from '@jest/globals';
import { encodePayload } from '../src/shared/codec.js';
import { SteppedClock } from '../src/testing/index.js';
import { claim } from '../src/transport/claim.js';
import type { Connection } from '../src/transport/connection.js';
import type { Incoming } from '../src/transport/connection-words.js';
import { Feed } from '../src/transport/feed.js';
import type { FeedParts } from '../src/transport/feed-parts.js';
import { highestOf, InOrder } from '../src/transport/in-order.js';
import type { Lease, Returned } from '../src/transport/lease.js';
import type { Ticket } from '../src/transport/transport.js';
import { encodeMessage } from '../src/transport/wire.js';

const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume));
const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await turn();
};

/** A feed whose consumer has delivered up to 6, and waits for as many of those as `unacknowledged` says. */
function feeds(unacknowledged: number, mark: number) {
  const clock = new SteppedClock();
  let onMessage: (message: Incoming) => void = () => undefined;
  let deliveries = 6;
  const sent: string[] = [];
  const link = {
    isUp: true,
    largestMessage: 1000,
    send: (reply: string, answer: string) => sent.push(`${answer} ${reply}`) > 0,
    sendSoon: (reply: string, answer: string) => void sent.push(`${answer} ${reply}`),
    inbox: () => 'INBOX',
    listen: (_subject: string, listener: typeof onMessage) => {
      onMessage = listener;
      return { drain: turn };
    },
    consumerState: async () => {
      return { unacknowledged, deliveries, requests: 0, undelivered: 0, deliveredUpTo: 6, settledUpTo: 4 };
    },
    ask: async () => undefined,
    read: async (_stream: string, { seq }: { seq: number }) => (seq <= 6 ? { sequence: Math.max(5, seq) } : null),
  };
  const marking = { isDone: (): void => undefined };
  const lease = {
    ...{ mark, isTrusted: true, isLost: false, isWriting: false, returned: new Map<number, Returned>() },
    raiseMark: (): Promise<boolean> => new Promise((done) => (marking.isDone = () => done(true))),
  };
  const seen: string[] = [];
  const tickets: Ticket[] = [];
  const feed = new Feed({
    ...{ clock, lease: lease as unknown as Lease, connection: link as unknown as Connection },
    ...{
      consumer: 'c',
      subject: 'x',
      pullMs: 500,
      ackWaitMs: 10_000,
      window: { messages: 100, bytes: 1000 },
      maxDeliver: 10,
    },
    names: { stream: 's', topicOf: (subject: string) => subject } as unknown as FeedParts['names'],
    intake: {
      ...{
        pattern: 'a',
        subscriberId: 's',
        room: 100,
        roomBytes: 1000,
        giveBack: async () => undefined,
        giveBackPutOff: () => undefined,
      },
      take: ({ id, started }, ticket) => {
        seen.push(`${id} after ${started}`);
        tickets.push(ticket);
      },
      giveUp: ({ id }, _ticket, reason) => void seen.push(`${id} ${reason}`),
    },
    ...{
      hasRoom: () => true,
      areHandlersStored: () => true,
      afterHandlers: (then) => then(),
      report: (thrown) => void seen.push(String(thrown)),
    },
  });
  const comes = (sequence: number, count: number, storedAt = '1700000000000000000'): void => {
    const { codec, bytes } = encodePayload(sequence);
    const facts = { id: `m${sequence}`, topic: 'a', key: 'k', priority: 'normal', headers: null } as const;
    const data = encodeMessage({ ...facts, publishedAt: 1, expiresAt: 0, codec, bytes, lossy: false });
    onMessage({ subject: 'a', data, reply: `$JS.ACK.s.c.${count}.${sequence}.${++deliveries}.${storedAt}.0` });
  };
  return { feed, lease, seen, sent, tickets, comes, marking };
}

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

  it('notes what it held back when the connection was lost: no process vanished with it', async () => {
    const { feed, seen, comes } = feeds(2, 9000);
    feed.start();
    await turns();
    for (let count = 2; count <= 11; count++) {
      comes(6, count);
      feed.lost();
      feed.reconnected();
      await turns();
    }
    comes(5, 2);
    comes(6, 12);
    expect(seen).toEqual(['m5 after 1', 'm6 after 1']);
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

  it('acknowledges nothing by its sequence alone once it was away: servers may have given that to another message', async () => {
    const { feed, seen, sent, tickets, comes } = feeds(0, 9000);
    feed.start();
    await turns();
    for (const sequence of [7, 8]) comes(sequence, 1);
    for (const ticket of tickets) ticket.settle('succeeded');
    sent.length = 0;
    feed.lost();
    feed.reconnected();
    await turns();
    const acknowledged = (): string[] => sent.filter((each) => each.startsWith('+ACK'));
    expect(acknowledged()).toEqual([]);
    comes(7, 2);
    expect(acknowledged()).toEqual(['+ACK $JS.ACK.s.c.2.7.9.1700000000000000000.0']);
    comes(8, 1, '1700000000000000001');
    expect(acknowledged()).toHaveLength(1);
    expect(seen.slice(2)).toEqual(['m8 after 1']);
    feed.close();
  });

  it('withholds what is settled once the connection was lost, until its message comes again or the server knows it', async () => {
    // The consumer says that it delivered up to 6: of 7 and 8 the servers know nothing any more.
    const { feed, seen, sent, tickets, comes } = feeds(2, 9000);
    feed.start();
    await turns();
    for (const sequence of [5, 6, 7, 8]) comes(sequence, 1);
    feed.lost();
    feed.reconnected();
    for (const index of [1, 2, 3]) tickets[index]?.settle('succeeded');
    const answered = (): string[] => sent.flatMap((each) => /^.ACK.*s\.c\.(\d\.\d\.\d+)/.exec(each)?.slice(1) ?? []);
    await turns();
    expect(answered()).toEqual([]);
    comes(6, 2);
    tickets[0]?.settle('succeeded');
    expect(answered()).toEqual(['2.6.11', '1.5.7']);
    comes(7, 1);
    comes(8, 1, '1700000000000000001');
    expect(answered().slice(2)).toEqual(['1.7.12']);
    expect(seen.slice(4)).toEqual(['m8 after 1']);
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
    const here = { has: () => false, countUpTo: () => 0 };
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
      here: { has: () => false, countUpTo: () => 0 },
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
