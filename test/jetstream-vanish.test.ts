// What becomes of a message whose process vanishes: it comes again, in order; after too many, it becomes a dead letter.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MessageBus } from '../src/index.js';
import type { Connection } from '../src/transport/connection.js';
import { NAK, ReplyReader } from '../src/transport/delivered.js';
import { type JetStreamOptions, jetstream } from '../src/transport/jetstream.js';
import { groupOf } from '../src/transport/subjects.js';
import { isOpening } from '../src/transport/wire.js';
import { openLink } from './jetstream/link.js';
import { NatsServer } from './jetstream/nats-server.js';
import { sharedFolder, temporaryFolder } from './test-bus.js';
import { describeWithNats } from './with-nats.js';

const MOST_DELIVERIES = 2;

const folder = sharedFolder();

describeWithNats('a message with which a process vanishes', () => {
  let server: NatsServer;

  beforeAll(async () => {
    server = await NatsServer.start();
  });

  afterAll(async () => {
    await server.stop();
  });

  const optionsOf = (stream: string): JetStreamOptions => {
    const quick = { partitions: 1, leaseMs: 500, ackWaitMs: 500, pingMs: 200, maxReconnectMs: 100 };
    const limits = stream === 'LONG' ? { ackWaitMs: 60_000 } : { maxDeliver: MOST_DELIVERIES };
    return { ...quick, servers: server.url, stream, ...limits };
  };

  async function withBus<T>(stream: string, run: (bus: MessageBus) => Promise<T>): Promise<T> {
    const transport = jetstream(optionsOf(stream));
    const bus = new MessageBus({ transport, errorLogDir: folder, threads: 1, spareThreads: 0 });
    await bus.start();
    try {
      return await run(bus);
    } finally {
      await bus.stop({ drain: false });
    }
  }

  const victim = async (topic: string, publish: () => Promise<unknown>): Promise<NodeJS.Signals> => {
    const program = fileURLToPath(new URL('./jetstream/victim.js', import.meta.url));
    const args = [program, JSON.stringify(optionsOf('KILLS')), temporaryFolder(), topic];
    const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(process_, 'exit');
    await once(process_.stdout, 'data');
    await publish();
    return (await ended)[1];
  };

  async function letterOf(bus: MessageBus, id: string): Promise<unknown> {
    const latest = performance.now() + 10_000;
    for (;;) {
      const letters = (await bus.deadLetterQueue?.list()) ?? [];
      const found = letters.find(({ message_id: itsId }) => itsId === id);
      if (found !== undefined || performance.now() > latest) return found;
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }

  /** As a process does that vanishes: takes so many messages, and is not heard of again, but for what `last` does. */
  async function takeInSilence(
    stream: string,
    subscription: string,
    count: number,
    last: (connection: Connection, replies: readonly string[]) => Promise<unknown>,
  ): Promise<void> {
    const connection = await openLink(server.url);
    const replies: string[] = [];
    const inbox = connection.inbox();
    connection.listen(inbox, ({ reply, data }) => {
      if (reply !== undefined && reply !== '' && !isOpening(data)) replies.push(reply);
    });
    const consumer = `${groupOf(`${subscription}.a`, subscription)}-0`;
    connection.send(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
      `{"batch":${count},"expires":10000000000}`,
      inbox,
    );
    while (replies.length < count) await new Promise((resume) => setTimeout(resume, 5));
    await last(connection, replies);
    await connection.close();
  }

  /** Numbers that are in the stream before anybody handles them. */
  async function publishAhead(stream: string, subscription: string, count: number): Promise<void> {
    await withBus(stream, async (bus) => {
      const subscribed = await bus.subscribe(`${subscription}.a`, () => undefined, { subscriberId: subscription });
      await bus.idle();
      await subscribed.unsubscribe();
      for (let n = 1; n <= count; n++) await bus.publishAsync(`${subscription}.a`, n, { key: 'k' });
    });
  }

  async function handledOf(stream: string, subscription: string, count: number): Promise<unknown[]> {
    const seen: unknown[] = [];
    await withBus(stream, async (bus) => {
      const see = (payload: unknown): void => void seen.push(payload);
      await bus.subscribe(`${subscription}.a`, see, { subscriberId: subscription });
      while (seen.length < count) await new Promise((resume) => setTimeout(resume, 5));
      await bus.idle();
    });
    return seen;
  }

  it('is quarantined by the process that gets it after too many, which handles what comes after it', async () => {
    await withBus('KILLS', async (bus) => {
      const publish = (): Promise<unknown> => bus.publishAsync('kills.a', 'fatal', { id: 'fatal' });
      expect(await victim('kills.a', publish)).toBe('SIGKILL');
      expect(await victim('kills.a', () => Promise.resolve())).toBe('SIGKILL');
      const seen: unknown[] = [];
      await bus.subscribe('kills.a', (payload) => void seen.push(payload), { subscriberId: 'victim' });
      await bus.publishAsync('kills.a', 'harmless');
      const expected = { reason: 'poison', subscriber_id: 'victim', topic: 'kills.a' };
      expect(await letterOf(bus, 'fatal')).toMatchObject(expected);
      await bus.idle();
      expect(seen).toEqual(['harmless']);
      expect(await bus.deadLetterQueue?.list()).toHaveLength(1);
    });
  });

  it('is no worse for processes that stop in order, but for the attempts that they started', async () => {
    for (let stops = 0; stops <= MOST_DELIVERIES; stops++) {
      await withBus('KILLS', async (bus) => {
        const endless = (): Promise<void> => new Promise(() => undefined);
        const subscription = await bus.subscribe('stops.a', endless, { subscriberId: 'stops' });
        if (stops > 0) subscription.pause();
        else await bus.publishAsync('stops.a', 'patient', { id: 'patient' });
        while (bus.getHealthStatus().subscriptions[0]?.pending !== 1)
          await new Promise((resume) => setTimeout(resume, 5));
      });
    }
    await withBus('KILLS', async (bus) => {
      const attempts: number[] = [];
      await bus.subscribe('stops.a', (_payload, { attempt }) => void attempts.push(attempt), { subscriberId: 'stops' });
      await bus.idle();
      expect(attempts).toEqual([2]);
    });
  });

  it('comes to the next process at once, in order, and before anything new', async () => {
    await publishAhead('LONG', 'order', 8);
    // The server brings what was given back first, and the rest once its time is over, which is not before the test's.
    await takeInSilence('LONG', 'order', 5, async (connection, replies) => {
      for (const reply of [replies[3], replies[1]]) await connection.ask(reply as string, NAK);
    });
    expect(await handledOf('LONG', 'order', 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('does not stop the next process when the stream has lost it', async () => {
    await publishAhead('LONG', 'gone', 5);
    const reader = new ReplyReader('LONG', `${groupOf('gone.a', 'gone')}-0`);
    const sequenceOf = (reply: string): number => reader.read(reply)?.sequence ?? 0;
    await takeInSilence('LONG', 'gone', 3, (connection, replies) =>
      Promise.all(replies.slice(0, 2).map((reply) => connection.remove('LONG', sequenceOf(reply)))),
    );
    expect(await handledOf('LONG', 'gone', 3)).toEqual([3, 4, 5]);
  });

  it('comes before its successors when it went to a process that holds its partition no more', async () => {
    await withBus('LONG', async (bus) => {
      const seen: unknown[] = [];
      await bus.subscribe('thief.a', (payload) => void seen.push(payload), { subscriberId: 'thief' });
      await bus.idle();
      let n = 0;
      const publish = (): Promise<void> => bus.publishAsync('thief.a', ++n, { key: 'k' });
      const publishing = setInterval(() => void publish(), 2);
      await takeInSilence('LONG', 'thief', 1, () => Promise.resolve());
      clearInterval(publishing);
      await publish();
      await bus.idle();
      expect(seen).toEqual(Array.from({ length: n }, (_, index) => index + 1));
    });
  });
});
