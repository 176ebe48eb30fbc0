// How buses and subscriptions over JetStream come to their end, and their partitions to other processes.
import { getMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { deadLetter, type HandlerContext, MessageBus, retryLater } from '../src/index.js';
import { type JetStreamOptions, jetstream } from '../src/transport/jetstream.js';
import { groupOf } from '../src/transport/subjects.js';
import type { TransportHost } from '../src/transport/transport.js';
import { openLink } from './jetstream/link.js';
import { NatsServer } from './jetstream/nats-server.js';
import { TcpProxy } from './jetstream/proxy.js';
import { temporaryFolder } from './test-bus.js';
import { describeWithNats } from './with-nats.js';

const QUICK: JetStreamOptions = { partitions: 1, leaseMs: 500, ackWaitMs: 500, pingMs: 200, maxReconnectMs: 100 };

describeWithNats('a bus over JetStream that parts with something', () => {
  let server: NatsServer;
  const buses: MessageBus[] = [];

  const start = async (options: JetStreamOptions): Promise<MessageBus> => {
    const transport = jetstream({ ...QUICK, servers: server.url, ...options });
    const bus = new MessageBus({ transport, errorLogDir: temporaryFolder(), threads: 1, spareThreads: 0 });
    buses.push(bus);
    await bus.start();
    return bus;
  };

  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await pause(5);
  };

  beforeAll(async () => {
    server = await NatsServer.start();
  });

  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.stop({ drain: false })));
  });

  afterAll(async () => {
    await server.stop();
  });

  it('does not hold up a stop that has its own time, when its servers are silent', async () => {
    const bus = await start({ stream: 'SILENT', pingMs: 60_000 });
    await bus.subscribe('silent', () => undefined, { subscriberId: 'silent' });
    server.freeze();
    const at = performance.now();
    await bus.stop({ timeoutMs: 100 }).finally(() => server.thaw());
    // A second to say goodbye, and little more.
    expect(performance.now() - at).toBeLessThan(2100);
  }, 20_000);

  it('does not hold up a stop by a dead letter that silent servers do not take: its message comes again', async () => {
    const bus = await start({ stream: 'UNTOLD', pingMs: 60_000 });
    let fail = (): void => undefined;
    const mayFail = new Promise<void>((resolve) => (fail = resolve));
    let begun = 0;
    const handle = (): Promise<never> => {
      begun++;
      return mayFail.then(() => Promise.reject(deadLetter('no')));
    };
    await bus.subscribe('untold', handle, { subscriberId: 'untold' });
    await bus.publishAsync('untold', 1);
    await until(() => begun === 1);
    server.freeze();
    fail();
    await until(() => bus.getHealthStatus().transport?.unstoredLetters === 1);
    const at = performance.now();
    await bus.stop({ timeoutMs: 100 }).finally(() => server.thaw());
    expect(performance.now() - at).toBeLessThan(2600);
  }, 20_000);

  it('may have any number of consumers made at the same time: Node warns of a leak where too many hear of a stop', async () => {
    let most: number | undefined;
    const start = ({ stopping }: TransportHost): Promise<never> => {
      most = getMaxListeners(stopping as AbortSignal);
      return Promise.reject(new Error('no servers'));
    };
    const bus = new MessageBus({ transport: { name: 'none', start }, errorLogDir: temporaryFolder() });
    await expect(bus.start()).rejects.toThrow('no servers');
    expect(most).toBe(Number.POSITIVE_INFINITY);
  });

  it('does not hold up a stop of a bus that is starting, either', async () => {
    const bus = new MessageBus({ transport: jetstream({ servers: server.url }), errorLogDir: temporaryFolder() });
    server.freeze();
    const at = performance.now();
    const started = bus.start().catch(({ code }) => code);
    await bus.stop().finally(() => server.thaw());
    expect(await started).toBe('BUSBAR_NOT_RUNNING');
    expect(performance.now() - at).toBeLessThan(4000);
  });

  it('keeps no partition of a bus that stops from others: what it had not started comes there for the first time', async () => {
    const options = { maxBytes: 64 * 1024, stream: 'FULL', leaseMs: 60_000 };
    const bus = await start(options);
    const subscription = await bus.subscribe('full', () => undefined, { subscriberId: 'full' });
    subscription.pause();
    const taken = Array.from({ length: 10 }, (_, n) => bus.publish('full', Buffer.alloc(10_000, n)));
    expect(taken).not.toContain(false);
    await until(() => (bus.getHealthStatus().subscriptions[0]?.pending ?? 0) > 0);
    await bus.stop({ drain: false });
    const { unpublished = 0 } = bus.getHealthStatus().transport ?? {};
    const next = await start(options);
    const attempts: number[] = [];
    await next.subscribe('full', (_payload, { attempt }) => void attempts.push(attempt), { subscriberId: 'full' });
    await next.idle();
    expect(unpublished).toBeGreaterThan(0);
    expect(attempts).toHaveLength(10 - unpublished);
    // The server takes the first one up for nobody meanwhile, and counts that.
    expect(new Set(attempts.slice(1))).toEqual(new Set([1]));
  });

  it('shares at once with a process that joins what another has been brought and has not started', async () => {
    const options = { stream: 'JOINS', partitions: 4, leaseMs: 5000 };
    const [first, second] = [await start(options), await start(options)];
    // On a busy machine a process takes long to join: until then nothing is handled but the first one.
    let join = (): void => undefined;
    const hasJoined = new Promise<void>((resolve) => (join = resolve));
    let begun = 0;
    const handle = async (): Promise<void> => {
      begun++;
      await hasJoined;
      await pause(10);
    };
    const subscribe = (bus: MessageBus): Promise<unknown> =>
      bus.subscribe('joins.a', handle, { subscriberId: 'joins' });
    const succeeded = (bus: MessageBus): number => bus.getHealthStatus().subscriptions[0]?.succeeded ?? 0;
    await subscribe(first);
    await Promise.all(Array.from({ length: 200 }, () => first.publishAsync('joins.a', 1)));
    while (begun === 0) await pause(5);
    await subscribe(second);
    join();
    await first.idle();
    // Half of the partitions, and what was handled meanwhile.
    expect(succeeded(second)).toBeGreaterThan(50);
    expect(succeeded(first) + succeeded(second)).toBe(200);
    expect(second.getHealthStatus().errorsRecovered).toBe(0);
  });

  it('gives a partition away though its messages are put off again and again', async () => {
    const options = { stream: 'PUTOFF', partitions: 4 };
    const [first, second] = [await start(options), await start(options)];
    let isReady = false;
    const putOff = (): void => {
      if (!isReady) throw retryLater(20);
    };
    const keys: unknown[] = [];
    const see = (_payload: unknown, { key }: HandlerContext): void => void keys.push(key);
    await first.subscribe('put.off', putOff, { subscriberId: 'putoff' });
    await Promise.all(Array.from({ length: 16 }, (_, n) => first.publishAsync('put.off', n, { key: `k${n}` })));
    while (first.getHealthStatus().subscriptions[0]?.retrying !== 16) await pause(5);
    await second.subscribe('put.off', see, { subscriberId: 'putoff' });
    while (keys.length === 0) await pause(5);
    isReady = true;
    await Promise.all([first.idle(), second.idle()]);
    const succeeded = [first, second].map((bus) => bus.getHealthStatus().subscriptions[0]?.succeeded ?? 0);
    expect(succeeded).toEqual([16 - keys.length, keys.length]);
  }, 20_000);

  it('acknowledges nothing by what was delivered before the connection was lost, also where its subscription ends', async () => {
    const proxy = new TcpProxy(server.port);
    await proxy.listen();
    const link = await openLink(server.url);
    const options = { stream: 'ENDING', maxBytes: 64 * 1024 };
    const bus = await start({ ...options, servers: `127.0.0.1:${proxy.port}` });
    const publish = (_payload: unknown, context: HandlerContext): void => {
      context.publish('ending.filled', Buffer.alloc(40_000));
    };
    const subscription = await bus.subscribe('ending.first', publish, { subscriberId: 'ending' });
    const filled = await bus.subscribe('ending.filled', () => undefined, { subscriberId: 'filled' });
    filled.pause();
    await bus.publishAsync('ending.filled', Buffer.alloc(40_000));
    // The fourth message of the stream. It is not let go of before what its handler published is stored, and there is no room.
    await bus.publishAsync('ending.first', 4);
    while (bus.getHealthStatus().transport?.unstored !== 1) await pause(5);
    const ended = subscription.unsubscribe({ drain: false });
    const consumer = `${groupOf('ending.first', 'ending')}-0`;
    while ((await link.consumerState('ENDING', consumer)).requests > 0);
    // It asks for nothing more, and a moment later waits for that alone.
    await pause(100);
    await proxy.close();
    // The servers forget all messages, and have another fourth one. Its partition goes to another process meanwhile.
    await link.ask('$JS.API.STREAM.DELETE.ENDING', '');
    const next = await start(options);
    let isDone = (): void => undefined;
    const done = new Promise<void>((resolve) => (isDone = resolve));
    await next.subscribe('ending.first', () => done, { subscriberId: 'ending' });
    for (const n of [2, 3, 4]) await next.publishAsync('ending.first', n);
    while (next.getHealthStatus().subscriptions[0]?.pending !== 3) await pause(5);
    await proxy.listen();
    await ended;
    await bus.publishAsync('ending.next', 1);
    await pause(20);
    expect(await link.consumerState('ENDING', consumer)).toMatchObject({ unacknowledged: 3 });
    isDone();
    await next.idle();
    await proxy.close();
    await link.close();
  }, 20_000);
});
