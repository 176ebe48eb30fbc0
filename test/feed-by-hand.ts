// A feed on servers that are stepped by hand.
import { encodePayload } from '../src/shared/codec.js';
import { SteppedClock } from '../src/testing/index.js';
import type { Connection } from '../src/transport/connection.js';
import type { Incoming } from '../src/transport/connection-words.js';
import { Feed } from '../src/transport/feed.js';
import type { FeedParts } from '../src/transport/feed-parts.js';
import type { Lease, Returned } from '../src/transport/lease.js';
import type { Ticket } from '../src/transport/transport.js';
import { encodeMessage } from '../src/transport/wire.js';

const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume));
export const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await turn();
};

/** A feed whose consumer has delivered up to 6, and waits for as many of those as `unacknowledged` says. */
export function feeds(unacknowledged: number, mark: number) {
  const clock = new SteppedClock();
  let onMessage: (message: Incoming) => void = () => undefined;
  let deliveries = 6;
  const sent: string[] = [];
  const link = {
    isUp: true,
    deliveredUpTo: 6,
    unacknowledged,
    largestMessage: 1000,
    send: (reply: string, answer: string) => sent.push(`${answer} ${reply}`) > 0,
    sendSoon: (reply: string, answer: string) => void sent.push(`${answer} ${reply}`),
    inbox: () => 'INBOX',
    listen: (_subject: string, listener: typeof onMessage) => {
      onMessage = listener;
      return { drain: turn };
    },
    consumerState: async () => {
      const { deliveredUpTo, unacknowledged } = link;
      return { unacknowledged, deliveries, requests: 0, undelivered: 0, deliveredUpTo, settledUpTo: 4 };
    },
    ask: async (reply: string, answer: string) => void sent.push(`${answer} ${reply}`),
    read: async (_stream: string, { seq }: { seq: number }) =>
      seq <= link.deliveredUpTo ? { sequence: Math.max(5, seq) } : null,
  };
  const marking = { isDone: (): void => undefined };
  const lease = {
    ...{ mark, isTrusted: true, isLost: false, isWriting: false, returned: new Map<number, Returned>() },
    raiseMark: (): Promise<boolean> => new Promise((done) => (marking.isDone = () => done(true))),
    renew: async (): Promise<boolean> => lease.isTrusted,
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
  /** All acknowledgements that were sent: deliveries of the message, its sequence, the delivery's number. */
  const answered = (): string[] => sent.flatMap((each) => /^.ACK.*s\.c\.(\d\.\d\.\d+)/.exec(each)?.slice(1) ?? []);
  return { feed, lease, link, seen, sent, tickets, comes, marking, answered };
}
