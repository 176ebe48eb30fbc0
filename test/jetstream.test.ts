// What JetStream makes of trouble: no connection, wrong permissions, other settings, messages that nobody can handle.
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { deadLetter, type HandlerContext, MessageBus } from '../src/index.js';
import { systemClock } from '../src/shared/clock.js';
import { withStableId } from '../src/shared/letter-id.js';
import type { LetterHeader } from '../src/shared/logging-task.js';
import { type JetStreamOptions, jetstream } from '../src/transport/jetstream.js';
import { Names } from '../src/transport/subjects.js';
import type { TransportHost } from '../src/transport/transport.js';
import { busbar } from './command-line.js';
import { openLink } from './jetstream/link.js';
import { NatsServer } from './jetstream/nats-server.js';
import { fixture, linesOf, sharedFolder, temporaryFolder } from './test-bus.js';
import { describeWithNats } from './with-nats.js';

const QUICK: JetStreamOptions = { partitions: 1, leaseMs: 500, ackWaitMs: 500, pingMs: 200, maxReconnectMs: 100 };
const folder = sharedFolder();

describeWithNats('the JetStream transport', () => {
  let server: NatsServer;
  const buses: MessageBus[] = [];

  const start = async (options: JetStreamOptions, errorLogDir = folder): Promise<MessageBus> => {
    const transport = jetstream({ ...QUICK, servers: server.url, ...options });
    const bus = new MessageBus({ transport, errorLogDir, threads: 1, spareThreads: 0 });
    buses.push(bus);
    await bus.start();
    return bus;
  };

  beforeAll(async () => {
    const denies = (user: string, subject: string): string =>
      `{user: ${user}, password: ${user}, permissions: {publish: {deny: ["${subject}"]}}}`;
    const users = ['{user: all, password: all}', denies('none', '>'), denies('lasting', '$JS.API.STREAM.UPDATE.>')];
    server = await NatsServer.start({ config: `authorization: {users: [${users.join(', ')}]}` });
  });

  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.stop({ drain: false })));
  });

  afterAll(async () => {
    await server.stop();
  });

  const connection = { user: 'all', pass: 'all' };

  it('refuses bad options, and says what was wrong with them', () => {
    const code = 'BUSBAR_INVALID_OPTION';
    for (const [options, words] of [
      [{ partitions: 0 }, 'partitions'],
      [{ stream: 'a.b' }, 'stream'],
      [{ replicas: 2 }, 'replicas'],
      [{ partition: 1 }, 'jetstream'],
      [{ connection: { servers: 'x' } }, 'connection'],
    ] as const) {
      const make = (): unknown => jetstream(options as JetStreamOptions);
      expect(make).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) }));
    }
    expect(() => new MessageBus({ transport: 'nats' as never })).toThrow(expect.objectContaining({ code }));
  });

  it('says whether it was the connection, the user or the settings', async () => {
    const host: TransportHost = {
      clock: systemClock,
      stopping: new AbortController().signal,
      instance: 'x',
      report: () => undefined,
      isKeeping: true,
      keepMessage: async () => undefined,
      keepLetter: async () => undefined,
      breakerChanged: () => undefined,
    };
    const code = async (options: JetStreamOptions): Promise<unknown> => {
      try {
        const transport = await jetstream({ ...QUICK, servers: server.url, ...options }).start(host);
        await transport.stop(1000);
        return 'started';
      } catch (error) {
        return (error as { code: unknown }).code;
      }
    };
    expect(await code({ servers: '127.0.0.1:1' })).toBe('BUSBAR_TRANSPORT_CONNECTION');
    expect(await code({ connection: { user: 'all', pass: 'wrong' } })).toBe('BUSBAR_TRANSPORT_PERMISSION');
    expect(await code({ connection, stream: 'S1' })).toBe('started');
    expect(await code({ connection, stream: 'S1', maxBytes: 4096 })).toBe('BUSBAR_TRANSPORT_SETTINGS');
    expect(await code({ connection, stream: 'S1', maxLetterBytes: 2 ** 20 })).toBe('BUSBAR_TRANSPORT_SETTINGS');
    expect(await code({ connection, stream: 'S1', partitions: 2 })).toBe('BUSBAR_TRANSPORT_SETTINGS');
    expect(await code({ connection, stream: 'S2', replicas: 3 })).toBe('BUSBAR_TRANSPORT_SETTINGS');
  });

  it('sets the limit of a stream of letters that has none, where it may, and starts also where it may not', async () => {
    const limitOf = async (user: string): Promise<unknown> => {
      const bus = await start({ connection: { user, pass: user }, stream: 'OLDER' });
      await bus.stop();
      return (await link.ensureStream({ name: 'OLDER_DEAD' }))['max_bytes'];
    };
    const link = await openLink(server.url, connection);
    await link.ensureStream({
      ...{
        name: 'OLDER_DEAD',
        subjects: [new Names('OLDER').letters],
        storage: 'file',
        num_replicas: 1,
        retention: 'limits',
      },
      ...{ max_msgs_per_subject: 1, max_msgs: 1_000_000, max_age: 30 * 86_400_000_000_000, max_bytes: -1 },
    });
    expect(await limitOf('lasting')).toBe(-1);
    expect(await limitOf('all')).toBe(256 * 2 ** 20);
    await link.close();
  }, 20_000);

  it('keeps what is published without a connection, reports the loss, opens its breaker, and goes on', async () => {
    const folder = temporaryFolder();
    const bus = await start({ connection, stream: 'OFF' }, folder);
    const refusing = await start({ connection, stream: 'OFF', whenOffline: 'refuse' });
    const seen: unknown[] = [];
    const states: string[] = [];
    bus.on('breaker', ({ name, state }) => states.push(`${name} ${state}`));
    await bus.subscribe('off.a', (payload) => void seen.push(payload), { subscriberId: 'off' });
    await server.kill();
    while (bus.getHealthStatus().transport?.connected || refusing.getHealthStatus().transport?.connected)
      await new Promise((resume) => setTimeout(resume, 5));
    const { transport, circuitBreakerStatus, status } = bus.getHealthStatus();
    expect(transport).toMatchObject({ connected: false, breaker: 'open', disconnects: 1 });
    expect(bus.getHealthStatus().unrouted).toBeNull();
    expect([circuitBreakerStatus['jetstream'], status]).toEqual(['open', 'degraded']);
    expect(refusing.publish('off.a', 'refused')).toBe(false);
    expect(bus.publish('off.a', 'kept')).toBe(true);
    const stored = bus.publishAsync('off.a', 'kept, too');
    await server.start();
    await stored;
    await bus.idle();
    expect(seen).toEqual(['kept', 'kept, too']);
    expect(states).toEqual(['jetstream open', 'jetstream closed']);
    await bus.errorLogger?.flush();
    const reports = linesOf(`${folder}/message_bus_errors.json`).map((line) => JSON.parse(line));
    expect(reports.find(({ component }) => component === 'jetstream')).toMatchObject({ category: 'connection_error' });
  });

  it('takes what a handler publishes beyond the buffer, and settles its input once that is stored', async () => {
    const bus = await start({ connection, stream: 'SMALL', bufferSize: 1 });
    const seen: unknown[] = [];
    const publish = (_payload: unknown, context: HandlerContext): void => {
      for (const n of [1, 2, 3]) context.publish('child.a', n);
    };
    await bus.subscribe('parent.a', publish, { subscriberId: 'parent' });
    await bus.subscribe('child.a', (payload) => void seen.push(payload), { subscriberId: 'child' });
    await bus.publishAsync('parent.a', 0);
    await bus.idle();
    expect(seen.sort()).toEqual([1, 2, 3]);
    expect(bus.getHealthStatus().transport?.refused).toBe(0);
  });

  it('gives a letter of its own to each message that reuses an id, and one to a message that comes again', () => {
    const idOf = (topic: string, published_at: number): string =>
      withStableId({ pattern: 'a.*', subscriber_id: 's', topic, message: { id: 'x', published_at } } as LetterHeader)
        .error_id;
    expect(idOf('a.b', 1)).toBe(idOf('a.b', 1));
    expect(new Set([idOf('a.b', 1), idOf('a.b', 2), idOf('a.c', 1)]).size).toBe(3);
  });

  it('asks for more messages when those that it asked for have come, and not when their time is over', async () => {
    // A request lasts two seconds, and one second more until it is given up: three minutes for all of these.
    const bus = await start({ connection, stream: 'WINDOWS', leaseMs: 60_000 });
    const seen: unknown[] = [];
    let done: () => void = () => undefined;
    const see = (payload: unknown): void => {
      if (seen.push(payload) === 60) done();
    };
    await bus.subscribe('windows.a', see, { subscriberId: 'windows', maxQueueSize: 1 });
    await new Promise<void>((resolve) => {
      done = resolve;
      for (let n = 0; n < 60; n++) bus.publish('windows.a', n);
    });
    expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => index));
  }, 30_000);

  it('brings no more bytes than the queue has room for, and a message that is larger than that alone', async () => {
    const bus = await start({ connection, stream: 'BYTES' });
    const see = async (_payload: unknown): Promise<void> => new Promise((resume) => setTimeout(resume, 2));
    await bus.subscribe('bytes.a', see, { subscriberId: 'bytes', maxQueueBytes: 65_536 });
    const sizes = Array.from({ length: 60 }, (_, n) => (n === 30 ? 300_000 : 10_000));
    let most = 0;
    const looks = setInterval(() => {
      most = Math.max(most, bus.getHealthStatus().mainQueueSize);
    });
    await Promise.all(sizes.map((size) => bus.publishAsync('bytes.a', Buffer.alloc(size), { key: 'k' })));
    await bus.idle();
    clearInterval(looks);
    expect(bus.getHealthStatus().subscriptions[0]).toMatchObject({ routed: 60, succeeded: 60 });
    expect(most).toBeLessThan(10);
  }, 20_000);

  it('counts a failure of a replay where the failures of its kind are counted', async () => {
    const bus = await start({ connection, stream: 'AGAIN' });
    const refuse = (): never => {
      throw deadLetter('no');
    };
    await bus.subscribe('again.a', refuse, { subscriberId: 'again' });
    await bus.publishAsync('again.a', 1);
    await bus.idle();
    await bus.deadLetterQueue?.replay({ all: true });
    const [letter] = (await bus.deadLetterQueue?.getMessages()) ?? [];
    expect(letter).toMatchObject({ replay_failures: 1, history: [{ count: 2 }] });
  });

  it('lists what is left while letters are removed, and does not wait for those', async () => {
    const link = await openLink(server.url, connection);
    try {
      await link.ensureStream({ name: 'SCAN', subjects: ['scan'] });
      // More than are brought at once; written in turns, for a write waits for its answer so long only.
      for (let turn = 0; turn < 15; turn++)
        await Promise.all(Array.from({ length: 100 }, () => link.write('scan', 'x')));
      let purging: Promise<number> | undefined;
      await link.scan('SCAN', () => {
        purging ??= link.purge('SCAN');
      });
      expect(await purging).toBe(1500);
    } finally {
      await link.close();
    }
  }, 20_000);

  it('lets the command line list and replay its dead letters, by a bus that a module builds', async () => {
    const options = { connection, stream: 'OPERATED' };
    const bus = await start(options);
    const refuse = (): never => {
      throw deadLetter('no');
    };
    await bus.subscribe('job', refuse, { subscriberId: 'worker' });
    await bus.publishAsync('job', 1);
    await bus.idle();
    await bus.stop();
    const folder = temporaryFolder();
    process.env['TEST_FOLDER'] = folder;
    process.env['TEST_TRANSPORT'] = JSON.stringify({ ...QUICK, servers: server.url, ...options });
    const where = ['--dir', folder, '--app', fileURLToPath(fixture('builds-a-bus'))];
    const listed = await busbar('dlq', 'list', '--json', ...where);
    expect(JSON.parse(listed.out)).toMatchObject({ letters: [{ topic: 'job', subscriber_id: 'worker' }] });
    expect(await busbar('dlq', 'replay', '--all', ...where)).toEqual({ exit: 0, out: '1 replayed\n', err: '' });
    expect((await busbar('dlq', 'list', ...where)).out).toBe('no letters\n');
  });

  it('refuses what the buffer has no room for', async () => {
    const bus = await start({ connection, stream: 'SMALL-3', bufferSize: 3 });
    const taken = Array.from({ length: 5 }, (_, index) => bus.publish('small.a', index));
    expect(taken).toEqual([true, true, true, false, false]);
    expect(bus.getHealthStatus().transport?.refused).toBe(2);
    await bus.ready();
    expect(bus.publish('small.a', 5)).toBe(true);
    await bus.idle();
  });
});
