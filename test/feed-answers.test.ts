// What a feed answers the servers, and when: not before what its handlers published is stored.
import { describe, expect, it } from '@jest/globals';
import { encodePayload } from '../src/shared/codec.js';
import { SteppedClock } from '../src/testing/index.js';
import type { Connection } from '../src/transport/connection.js';
import type { Incoming } from '../src/transport/connection-words.js';
import { Feed } from '../src/transport/feed.js';
import type { FeedParts } from '../src/transport/feed-parts.js';
import type { Lease } from '../src/transport/lease.js';
import type { Ticket } from '../src/transport/transport.js';
import { encodeMessage } from '../src/transport/wire.js';

const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await new Promise((resume) => setImmediate(resume));
};

/** A feed to which nothing was delivered before, and what is given to it to call back. */
async function feeds({ areHandlersStored = true }) {
  let onMessage: (message: Incoming) => void = () => undefined;
  let deliveries = 0;
  const sent: string[] = [];
  const send = (reply: string, answer: string): boolean =>
    answer.startsWith('+') && sent.push(`${answer} ${reply.slice(12, 15)}`) > 0;
  const state = { unacknowledged: 0, deliveries: 0, requests: 0, undelivered: 0, deliveredUpTo: 0, settledUpTo: 0 };
  const link = {
    ...{ isUp: true, largestMessage: 1000, send, sendSoon: send, inbox: () => 'INBOX', ask: async () => undefined },
    listen: (_subject: string, listener: typeof onMessage) => {
      onMessage = listener;
      return { drain: async () => undefined };
    },
    consumerState: async () => state,
    read: async () => null,
  };
  const lease = { mark: 90_000, isTrusted: true, isLost: false, isWriting: false, returned: new Map() };
  const tickets: Ticket[] = [];
  const stored: (() => void)[] = [];
  const intake = {
    ...{ pattern: 'a', subscriberId: 's', room: 100, roomBytes: 1000 },
    take: (_message: unknown, ticket: Ticket) => void tickets.push(ticket),
  };
  const feed = new Feed({
    ...{ clock: new SteppedClock(), lease: lease as unknown as Lease, connection: link as unknown as Connection },
    ...{ consumer: 'c', subject: 'x', pullMs: 500, ackWaitMs: 10_000, window: { messages: 100, bytes: 1000 } },
    ...{
      maxDeliver: 10,
      names: { stream: 's' } as FeedParts['names'],
      intake: intake as unknown as FeedParts['intake'],
    },
    ...{ hasRoom: () => true, areHandlersStored: () => areHandlersStored },
    afterHandlers: (then) => void stored.push(then),
    report: (thrown) => {
      throw thrown;
    },
  });
  const comes = (sequence: number, count = 1): void => {
    const { codec, bytes } = encodePayload(sequence);
    const facts = { id: `m${sequence}`, topic: 'a', key: 'k', priority: 'normal', headers: null } as const;
    const data = encodeMessage({ ...facts, publishedAt: 1, expiresAt: 0, codec, bytes, lossy: false });
    onMessage({ subject: 'a', data, reply: `$JS.ACK.s.c.${count}.${sequence}.${++deliveries}.1700000000000000000.0` });
  };
  feed.start();
  await turns();
  return { feed, tickets, stored, state, sent, comes };
}

describe("a feed's answer", () => {
  it('waits until what its handlers published is stored, and a letter is told at once', async () => {
    const { feed, tickets, stored, sent, comes } = await feeds({ areHandlersStored: false });
    for (const sequence of [1, 2, 3]) comes(sequence);
    tickets[0]?.settle('succeeded');
    tickets[1]?.settle('deadLettered');
    expect([sent, stored.length, feed.unsettled]).toEqual([['+TERM 1.2'], 1, 2]);
    stored[0]?.();
    expect([sent, feed.unsettled]).toEqual([['+TERM 1.2', '+ACK 1.1'], 1]);
    feed.close();
  });

  it('goes out at once when nothing of them is to be stored', async () => {
    const { feed, tickets, stored, sent, comes } = await feeds({});
    comes(1);
    tickets[0]?.settle('succeeded');
    expect([sent, stored]).toEqual([['+ACK 1.1'], []]);
    feed.close();
  });

  it('is the one that was withheld when its message comes again: what has a letter is acknowledged as such', async () => {
    const { feed, tickets, state, sent, comes } = await feeds({});
    for (const sequence of [1, 2]) comes(sequence);
    feed.lost();
    tickets[0]?.settle('deadLettered');
    tickets[1]?.settle('succeeded');
    // Up to which sequence they delivered, they have forgotten.
    state.deliveries = 2;
    feed.reconnected();
    await turns();
    expect(sent).toEqual([]);
    comes(1, 2);
    comes(2, 2);
    expect(sent).toEqual(['+TERM 2.1', '+ACK 2.2']);
    feed.close();
  });
});
