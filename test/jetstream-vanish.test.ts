// A message that ends each process it comes to: it is not lost in silence, it becomes a dead letter.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MessageBus } from '../src/index.js';
import { Connection } from '../src/transport/connection.js';
import { deliveryOf } from '../src/transport/delivered.js';
import { type JetStreamOptions, jetstream } from '../src/transport/jetstream.js';
import { groupOf } from '../src/transport/subjects.js';
import { isOpening } from '../src/transport/wire.js';
import { NatsServer } from './jetstream/nats-server.js';
import { temporaryFolder } from './test-bus.js';
import { describeWithNats } from './with-nats.js';

const MOST_DELIVERIES = 2;

describeWithNats('a message with which each process vanishes', () => {
  let server: NatsServer;

  beforeAll(async () => {
    server = await NatsServer.start();
  });

  afterAll(async () => {
    await server.stop();
  });

  const optionsOf = (stream: string): JetStreamOptions => {
    const quick = { partitions: 1, leaseMs: 500, ackWaitMs: 500, pingMs: 200, maxReconnectMs: 100 };
    return { ...quick, servers: server.url, stream, maxDeliver: MOST_DELIVERIES };
  };

  async function withBus<T>(stream: string, run: (bus: MessageBus) => Promise<T>): Promise<T> {
    const transport = jetstream(optionsOf(stream));
    const bus = new MessageBus({ transport, errorLogDir: temporaryFolder(), threads: 1, spareThreads: 0 });
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

  /** As processes do that vanish with it: takes a message as often as it is brought, and is not heard of again. */
  async function takeInSilence(consumer: string, times: number): Promise<number[]> {
    const credentials = {};
    const limits = { connectTimeoutMs: 2000, pingMs: 2000, maxReconnectMs: 100 };
    const ignore = (): void => undefined;
    const events = { down: ignore, up: ignore, error: ignore };
    const connection = await Connection.open({ servers: [server.url], credentials, name: 'silent', ...limits }, events);
    const counts: number[] = [];
    const inbox = connection.inbox();
    connection.listen(inbox, ({ reply, data }) => {
      if (reply !== undefined && reply !== '' && !isOpening(data)) counts.push(deliveryOf(reply)?.count ?? 0);
    });
    connection.send(`$JS.API.CONSUMER.MSG.NEXT.NOTED.${consumer}`, '{"batch":100,"expires":10000000000}', inbox);
    while (counts.length < times || (await connection.first('NOTED_ADVICE')) === null)
      await new Promise((resume) => setTimeout(resume, 20));
    await connection.close();
    return counts;
  }

  it('is quarantined by the process that gets it next, which handles what comes after it', async () => {
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

  it('has its letter even when the last process vanished before it could write one: the server has noted it', async () => {
    await withBus('NOTED', async (bus) => {
      await bus.subscribe('noted.a', () => undefined, { subscriberId: 'noted' });
    });
    await withBus('NOTED', async (bus) => {
      await bus.publishAsync('noted.a', 'fatal', { id: 'noted' });
    });
    // One more than a process would start.
    const deliveries = await takeInSilence(`${groupOf('noted.a', 'noted')}-0`, MOST_DELIVERIES + 1);
    expect(deliveries).toEqual([1, 2, 3]);
    await withBus('NOTED', async (bus) => {
      const expected = {
        reason: 'poison',
        signature: 'vanished',
        retry_count: MOST_DELIVERIES,
        subscriber_id: 'noted',
      };
      expect(await letterOf(bus, 'noted')).toMatchObject(expected);
      expect(await bus.deadLetterQueue?.list()).toHaveLength(1);
    });
  });
});
