// A partition's feed on a model of servers that lose their connection and forget, at random: what it promises holds at each step.
import { expect, it } from '@jest/globals';
import { encodePayload } from '../src/shared/codec.js';
import { SteppedClock } from '../src/testing/index.js';
import { Feed } from '../src/transport/feed.js';
import type { FeedParts } from '../src/transport/feed-parts.js';
import type { Lease, Returned } from '../src/transport/lease.js';
import type { Ticket } from '../src/transport/transport.js';
import { encodeMessage } from '../src/transport/wire.js';
import { ForgetfulServer } from './model/forgetful-server.js';
import { freshSeed, randomFrom } from './random.js';

const ACK_WAIT_MS = 2000;
const STEPS = 1500;
/** Without faults, until all is handled. */
const MOST_STEPS = 20_000;
/** With these, a feed goes wrong that trusts again what servers had forgotten, or tells its messages apart by their sequence alone. */
const TELLING_SEEDS = [176, 313, 338, 344, 467, 740, 772, 784, 861, 873, 919];
const FRESH_SEEDS = 20;

const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume));

function messageOf(n: number): Buffer {
  const { codec, bytes } = encodePayload(n);
  const facts = { id: `m${n}`, topic: 'a', key: 'k', priority: 'normal', headers: null } as const;
  return encodeMessage({ ...facts, publishedAt: 1, expiresAt: 0, codec, bytes, lossy: false });
}

/** How likely, and what. */
type Choice = readonly [share: number, act: () => void];

function choose(choices: readonly Choice[], random: number): void {
  let left = random;
  for (const [share, act] of choices) {
    left -= share;
    if (left < 0) {
      act();
      return;
    }
  }
}

/** What went wrong first; undefined: nothing did. */
async function trial(seed: number): Promise<string | undefined> {
  const random = randomFrom(seed);
  const below = (end: number): number => Math.floor(random() * end);
  const clock = new SteppedClock();
  const problems: string[] = [];
  const settled = new Set<number>();
  const handled = new Set<number>();
  const running: { readonly n: number; readonly ticket: Ticket }[] = [];
  let published = 0;
  let highest = 0;
  const server = new ForgetfulServer(
    () => clock.elapsed(),
    ACK_WAIT_MS,
    (n) => {
      if (!settled.has(n)) problems.push(`${n} was acknowledged and is not settled`);
    },
  );
  const lease = {
    ...{ mark: 0, isTrusted: true, isLost: false, isWriting: false, returned: new Map<number, Returned>() },
    raiseMark: async (mark: number) => {
      lease.mark = Math.max(lease.mark, mark);
      return true;
    },
  };
  const take = ({ id, started }: { readonly id: string; readonly started: number }, ticket: Ticket): void => {
    const n = Number(id.slice(1));
    if (handled.has(n) && started === 0) problems.push(`${n} came twice and does not say so`);
    if (!handled.has(n) && n < highest) problems.push(`${n} came after ${highest}`);
    handled.add(n);
    highest = Math.max(highest, n);
    running.push({ n, ticket });
  };
  const feed = new Feed({
    ...{ clock, lease: lease as unknown as Lease, connection: server.link, consumer: 'c', subject: 'x', pullMs: 500 },
    ...{ ackWaitMs: ACK_WAIT_MS, window: { messages: 20, bytes: 1e6 }, maxDeliver: 1000 },
    names: { stream: 's', topicOf: (subject: string) => subject } as unknown as FeedParts['names'],
    intake: { pattern: 'a', subscriberId: 's', take } as unknown as FeedParts['intake'],
    ...{ hasRoom: () => true, areHandlersStored: () => true, afterHandlers: (then) => then(), report: () => undefined },
  });
  const most = 2 + below(25);
  const losses = 0.001 + random() * 0.015;
  const settlements = 0.01 + random() * 0.1;
  const settle = (index: number): void => {
    const [one] = running.splice(index, 1);
    if (one !== undefined) settled.add(one.n);
    one?.ticket.settle('succeeded');
  };
  const goOn = (): void => {
    server.isUp = true;
    feed.reconnected();
  };
  const fail = (): void => {
    if (server.isUp) {
      server.lose(below(3));
      feed.lost();
    } else {
      if (random() < 0.6) server.forget(below(6), random() < 0.5);
      goOn();
    }
  };
  const publish = (): void => {
    if (server.stream.size < most) server.store(++published, messageOf(published));
  };
  const wait = (): void => {
    clock.step(below(120));
    server.look();
  };
  const always: readonly Choice[] = [
    [0.3, () => server.hear()],
    [0.3, () => server.speak()],
    [settlements, () => settle(below(Math.min(3, running.length)))],
    [0.02, () => server.write()],
    [0.07, wait],
  ];
  const faults = (): readonly Choice[] => [
    [0.1, publish],
    [0.005, () => server.changeLeader()],
    [server.isUp ? losses : 0.05, fail],
  ];
  feed.start();
  for (let count = 0; count < STEPS && problems.length === 0; count++) {
    choose([...always, ...faults()], random());
    await turn();
  }
  if (!server.isUp) goOn();
  for (let count = 0; server.stream.size > 0 && problems.length === 0; count++) {
    if (count === MOST_STEPS) problems.push(`${server.stream.size} messages are left`);
    choose(always, random());
    await turn();
  }
  feed.close();
  return problems[0];
}

it('acknowledges what is settled alone, in order and marked, whatever the servers forget, and leaves nothing', async () => {
  const broken: string[] = [];
  const seeds = [...TELLING_SEEDS, ...Array.from({ length: FRESH_SEEDS }, freshSeed)];
  for (const seed of seeds) {
    const problem = await trial(seed);
    if (problem !== undefined) broken.push(`seed ${seed}: ${problem}`);
  }
  expect(broken).toEqual([]);
});
