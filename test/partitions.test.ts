// How a process gives its partitions to others: what waits goes with them, and who closes waits for all of them.
import { describe, expect, it } from '@jest/globals';
import { SteppedClock } from '../src/testing/index.js';
import type { Connection } from '../src/transport/connection.js';
import type { Incoming } from '../src/transport/connection-words.js';
import { Partitions } from '../src/transport/partitions.js';
import { Names } from '../src/transport/subjects.js';
import type { Ticket } from '../src/transport/transport.js';
import { encodeMessage } from '../src/transport/wire.js';

const turns = async (): Promise<void> => {
  for (let n = 0; n < 40; n++) await new Promise((resume) => setImmediate(resume));
};

/** Two partitions of a consumer that has delivered nothing, on servers that keep leases only. */
async function partitions(giveBack: (tickets: ReadonlySet<Ticket>) => Promise<void>) {
  const leases = new Map<string, { sequence: number; data: Uint8Array }>();
  const listeners = new Map<string, (message: Incoming) => void>();
  let sequences = 0;
  const link = {
    isUp: true,
    largestMessage: 1000,
    inbox: () => `INBOX-${listeners.size}`,
    listen: (subject: string, listener: (message: Incoming) => void) => {
      listeners.set(subject, listener);
      return { drain: async () => undefined };
    },
    asked: [] as { consumer: string; inbox: string }[],
    send: (subject: string, _data?: unknown, inbox?: string) => {
      if (inbox !== undefined) link.asked.push({ consumer: subject.split('.').at(-1) as string, inbox });
      return true;
    },
    sendSoon: () => undefined,
    read: async (_stream: string, { last_by_subj: subject }: { last_by_subj: string }) => leases.get(subject) ?? null,
    write: async (subject: string, data: string, { expected }: { expected: number }) => {
      if ((leases.get(subject)?.sequence ?? 0) !== expected) return null;
      leases.set(subject, { sequence: ++sequences, data: Buffer.from(data) });
      return sequences;
    },
    consumerState: async () => {
      return { unacknowledged: 0, deliveries: 0, requests: 0, undelivered: 0, deliveredUpTo: 0, settledUpTo: 0 };
    },
  };
  const tickets: Ticket[] = [];
  const reports: unknown[] = [];
  const names = new Names('S');
  const held = new Partitions({
    ...{ connection: link as unknown as Connection, clock: new SteppedClock(), names, instance: 'one', group: 'g' },
    ...{ partitions: 2, leaseMs: 5000, ackWaitMs: 10_000, maxDeliver: 10 },
    intake: {
      ...{ pattern: 'a', subscriberId: 's', room: 100, roomBytes: 1000, giveBack, giveBackPutOff: () => undefined },
      take: (_arrival, ticket) => void tickets.push(ticket),
      giveUp: () => undefined,
    },
    ...{
      hasRoom: () => true,
      areHandlersStored: () => true,
      afterHandlers: (then) => then(),
      report: (thrown) => void reports.push(thrown),
    },
  });
  await held.look();
  await turns();
  for (const { consumer, inbox } of link.asked) {
    const facts = { id: consumer, topic: 'a', key: null, priority: 'normal', headers: null, codec: 1 } as const;
    const data = encodeMessage({ ...facts, publishedAt: 1, expiresAt: 0, bytes: Buffer.from('1'), lossy: false });
    listeners.get(inbox)?.({ subject: 's.0.a', data, reply: `$JS.ACK.S.${consumer}.1.1.1.1700000000000000000.0` });
  }
  const joins = (instance: string): void =>
    listeners.get(names.members('g'))?.({ subject: '', data: Buffer.from(`+${instance}`) });
  const released = (): number =>
    [...leases.values()].filter(({ data }) => JSON.parse(Buffer.from(data).toString()).is_released).length;
  return { held, tickets, reports, joins, released };
}

describe('the partitions of a subscription', () => {
  it('are closed once those are released that were given away before', async () => {
    const wanted: ReadonlySet<Ticket>[] = [];
    const { held, tickets, joins, released } = await partitions(async (some) => void wanted.push(some));
    expect(tickets).toHaveLength(2);
    joins('two');
    await turns();
    // One of them is on its way to the other process: what has started of it runs on.
    const [leaving] = wanted[0] as ReadonlySet<Ticket>;
    let isClosed = false;
    const closed = held.close().then(() => {
      isClosed = true;
    });
    tickets.find((ticket) => ticket !== leaving)?.settle('succeeded');
    await turns();
    expect([isClosed, released()]).toEqual([false, 1]);
    leaving?.settle('succeeded');
    await closed;
    expect(released()).toBe(2);
  });

  it('are given back again though what waits could not be taken out of its lanes once', async () => {
    let calls = 0;
    const { held, tickets, reports, joins, released } = await partitions(async (some) => {
      if (calls++ === 0) throw new Error('a lane ended');
      for (const ticket of some) ticket.release(0);
    });
    joins('two');
    await turns();
    expect(reports).toEqual([new Error('a lane ended')]);
    const closed = held.close();
    await turns();
    expect(calls).toBe(2);
    for (const ticket of tickets) ticket.settle('succeeded');
    await closed;
    expect(released()).toBe(2);
  });
});
