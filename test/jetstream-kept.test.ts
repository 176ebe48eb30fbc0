// What the servers never take is kept where it was published: seen, counted, and published again when it is asked for.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { deadLetter, type HandlerContext, MessageBus } from '../src/index.js';
import { systemClock } from '../src/shared/clock.js';
import type { LetterHeader } from '../src/shared/logging-task.js';
import { DeadLetters } from '../src/transport/dead-letters.js';
import { type JetStreamOptions, jetstream } from '../src/transport/jetstream.js';
import { LetterCount } from '../src/transport/letter-count.js';
import { groupOf, Names } from '../src/transport/subjects.js';
import { openLink } from './jetstream/link.js';
import { NatsServer } from './jetstream/nats-server.js';
import { lettersOf, sharedFolder, temporaryFolder } from './test-bus.js';
import { describeWithNats } from './with-nats.js';

const QUICK: JetStreamOptions = { partitions: 1, leaseMs: 500, ackWaitMs: 500, pingMs: 200, maxReconnectMs: 100 };
const SOME = { user: 'some', pass: 'some' };
const MEBIBYTE = 1024 * 1024;
const shared = sharedFolder();

describeWithNats('what the servers of JetStream never take', () => {
  let server: NatsServer;
  let places = 0;
  const buses: MessageBus[] = [];

  const start = async (options: JetStreamOptions, errorLogDir = shared, isKeeping = true) => {
    const transport = jetstream({
      ...{ ...QUICK, servers: server.url, connection: SOME, stream: `KEPT-${++places}` },
      ...options,
    });
    const bus = new MessageBus({ transport, errorLogDir, threads: 1, spareThreads: 0, enableErrorHandling: isKeeping });
    buses.push(bus);
    await bus.start();
    return bus;
  };

  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await pause(5);
  };

  beforeAll(async () => {
    const user = '{user: some, password: some, permissions: {publish: {deny: ["*.*.secret"]}}}';
    server = await NatsServer.start({ config: `authorization: {users: [${user}]}` });
  });

  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.stop({ drain: false })));
  });

  afterAll(async () => {
    await server.stop();
  });

  it('is kept when it is too large for the buffer, and its publisher is told if it waits', async () => {
    const bus = await start({ bufferBytes: 1000 });
    while (!bus.publish('large', Buffer.alloc(1000))) await bus.ready();
    const code = 'BUSBAR_MESSAGE_TOO_LARGE';
    await expect(bus.publishAsync('large', Buffer.alloc(1000))).rejects.toMatchObject({ code });
    let letters = await lettersOf(bus);
    while (letters.length === 0) letters = await lettersOf(bus);
    const [letter] = letters;
    expect(letter).toMatchObject({ reason: 'unpublished', message: { topic: 'large' } });
    expect(letter?.error?.message).toMatch(/larger than 1000 bytes, the buffer's bufferBytes/);
    await bus.publishAsync('large', 1);
    expect(bus.getHealthStatus().transport).toMatchObject({ refused: 0, unpublished: 1 });
    const without = await start({ bufferBytes: 1000 }, temporaryFolder(), false);
    expect([without.publish('large', Buffer.alloc(1000)), without.publish('large', 1)]).toEqual([false, true]);
    expect(without.getHealthStatus().transport).toMatchObject({ refused: 1, unpublished: 0 });
  });

  it('is published again after a stop without servers, in order, and marked: they may have had it', async () => {
    const folder = temporaryFolder();
    const bus = await start({ stream: 'AWAY' }, folder);
    const seen: unknown[] = [];
    const see = (payload: unknown, { key, headers, attempt, id }: HandlerContext): void =>
      void seen.push([payload, key, headers, attempt, id]);
    await server.kill();
    await until(() => bus.getHealthStatus().transport?.connected === false);
    for (const n of [1, 2, 3])
      expect(bus.publish('away.a', { n }, { key: 'k', headers: { h: 'v' }, id: `m${n}` })).toBe(true);
    const told = bus.publishAsync('away.a', 'its publisher is told').catch(({ code }) => code);
    await bus.stop({ drain: false });
    expect(await told).toBe('BUSBAR_SHUTDOWN');
    expect(bus.getHealthStatus().transport?.unpublished).toBe(3);
    await server.start();
    const next = await start({ stream: 'AWAY' }, folder);
    await next.subscribe('away.a', see, { subscriberId: 'away' });
    const letters = await lettersOf(next);
    expect(letters.map(({ reason, message, subscriber_id }) => [reason, message.payload, subscriber_id])).toEqual(
      [1, 2, 3].map((n) => ['unpublished', { n }, '']),
    );
    expect(letters[0]).toMatchObject({
      error_category: 'connection_error',
      topic: 'away.a',
      key: 'k',
      pattern: 'away.a',
    });
    await next.deadLetterQueue?.edit(letters[2]?.error_id as string, { payload: 'mended' });
    const choice = { reason: 'unpublished' } as const;
    expect((await next.deadLetterQueue?.replay(choice, { dryRun: true }))?.replayed).toHaveLength(3);
    expect((await next.deadLetterQueue?.replay(choice))?.replayed).toHaveLength(3);
    await next.idle();
    expect(seen).toEqual([
      [{ n: 1 }, 'k', { h: 'v' }, 2, 'm1'],
      [{ n: 2 }, 'k', { h: 'v' }, 2, 'm2'],
      ['mended', 'k', { h: 'v' }, 2, 'm3/replay/1'],
    ]);
    expect(await lettersOf(next)).toEqual([]);
  });

  it('is a letter at once when they refuse it, beside those of handlers, and counted', async () => {
    const bus = await start({});
    const refuse = (): never => {
      throw deadLetter('no');
    };
    await bus.subscribe('open', refuse, { subscriberId: 'open' });
    const published: string[] = [];
    bus.on('deadLetter', ({ topic, reason }) => published.push(`${topic} ${reason}`));
    await expect(bus.publishAsync('secret', 0)).rejects.toMatchObject({ code: 'BUSBAR_TRANSPORT_PERMISSION' });
    expect(bus.publish('secret', 1)).toBe(true);
    await bus.publishAsync('open', 2);
    await until(() => published.length === 2);
    // What the servers said was asked of them before the letter was there, perhaps.
    await until(() => bus.getHealthStatus().transport?.deadLetters === 1);
    expect(published.sort()).toEqual(['open rejected_by_handler', 'secret unpublished']);
    const letters = await lettersOf(bus);
    expect(letters.map(({ topic, message }) => [topic, message.payload]).sort()).toEqual([
      ['open', 2],
      ['secret', 1],
    ]);
    const { transport, logging } = bus.getHealthStatus();
    expect(transport).toMatchObject({ unpublished: 1, unstored: 0, deadLetters: 1 });
    expect(transport?.deadLettersAgeSeconds).toBeLessThan(60);
    expect(logging?.deadLetters).toBe(1);
    const queue = bus.deadLetterQueue;
    expect(await queue?.stats()).toMatchObject({ letters: 2, byReason: { unpublished: 1, rejected_by_handler: 1 } });
    expect((await queue?.groups())?.map(({ count }) => count)).toEqual([1, 1]);
    const { failed } = (await queue?.replay({ reason: 'unpublished' })) ?? {};
    expect(failed).toHaveLength(1);
    expect(await queue?.list({ reason: 'unpublished' })).toMatchObject([{ state: 'dead', replay_failures: 1 }]);
    expect(await queue?.archive({ all: true })).toBe(2);
    expect(await queue?.list({ state: 'archived', limit: 1 })).toHaveLength(1);
    expect(await queue?.clear()).toBe(2);
  });

  it('is kept before its input is settled, when a handler published it', async () => {
    const bus = await start({});
    const publish = (_payload: unknown, context: HandlerContext): void => {
      context.publish('secret', 'refused');
      context.publish('large', Buffer.alloc(MEBIBYTE));
    };
    await bus.subscribe('parent', publish, { subscriberId: 'parent' });
    await bus.publishAsync('parent', 0, { id: 'p' });
    await bus.idle();
    const letters = await lettersOf(bus);
    expect(letters.map(({ topic, message }) => [topic, message.id]).sort()).toEqual([
      ['large', 'p:2'],
      ['secret', 'p:1'],
    ]);
    const payload = letters.find(({ topic }) => topic === 'large')?.message.payload;
    expect(Buffer.alloc(MEBIBYTE).equals(payload as Buffer)).toBe(true);
  });

  it('may be a letter: one that is too large for them, or at the end one whose message does not come again', async () => {
    const link = await openLink(server.url, SOME);
    const kept: string[] = [];
    const reports: unknown[] = [];
    const settled: string[] = [];
    const letters = new DeadLetters({
      ...{
        connection: link,
        clock: systemClock,
        names: new Names('NOWHERE'),
        report: (thrown: unknown) => void reports.push(thrown),
      },
      keep: async ({ error_id: id }) => void kept.push(id),
    });
    const add = (error_id: string, bytes: number, comesAgain: boolean): void => {
      const header = { error_id, message: { id: 'm' }, payload_codec: 16 } as LetterHeader;
      letters.letter(header, Buffer.alloc(bytes), () => settled.push(error_id), comesAgain);
    };
    add('too large', 2 * MEBIBYTE, true);
    add('comes again', 1, true);
    add('comes no more', 1, false);
    await until(() => settled.length > 0);
    expect(settled).toEqual(['too large']);
    await until(() => reports.length > 0);
    expect(reports).toEqual([expect.objectContaining({ code: 'BUSBAR_TRANSPORT_CONNECTION' })]);
    await letters.close();
    expect(settled).toEqual(['too large', 'comes no more']);
    expect(kept).toEqual(settled);
    await link.close();
  });

  it('counts a letter once that is stored while the servers are asked how many they have', async () => {
    const answers: ((state: { count: number }) => void)[] = [];
    const streamState = (): Promise<never> => new Promise((resolve) => answers.push(resolve as () => void));
    const count = new LetterCount({ isUp: true, streamState }, systemClock, 's');
    count.add();
    const at = performance.now();
    answers[0]?.({ count: 0 });
    await until(() => answers.length === 2);
    // While many are stored it would ask without end.
    expect(performance.now() - at).toBeGreaterThan(100);
    answers[1]?.({ count: 1 });
    await until(() => count.now.deadLetters === 1);
    count.add();
    expect([count.now.deadLetters, answers.length]).toEqual([2, 2]);
    count.close();
  });

  it('is told of when they give a message up by themselves: somebody has changed a consumer', async () => {
    const first = await start({ stream: 'CHANGED' });
    await first.subscribe('changed', () => undefined, { subscriberId: 'changed' });
    await first.stop();
    const link = await openLink(server.url, SOME);
    const consumer = `${groupOf('changed', 'changed')}-0`;
    const limited = {
      durable_name: consumer,
      filter_subject: 'changed.0.changed',
      max_deliver: 1,
      deliver_policy: 'new',
    };
    const config = { ...limited, ack_policy: 'explicit', ack_wait: 5e8, max_ack_pending: -1, replay_policy: 'instant' };
    await link.ask(
      `$JS.API.CONSUMER.DURABLE.CREATE.CHANGED.${consumer}`,
      JSON.stringify({ stream_name: 'CHANGED', config }),
    );
    const bus = await start({ stream: 'CHANGED' }, temporaryFolder());
    await bus.publishAsync('changed', 1);
    const next = `$JS.API.CONSUMER.MSG.NEXT.CHANGED.${consumer}`;
    const take = (): Promise<void> => link.ask(next, JSON.stringify({ batch: 1, expires: 2e9 })).catch(() => undefined);
    // Nobody acknowledges the first delivery, and there is no second one.
    await take();
    await take();
    const told = async (): Promise<string[]> => (await bus.errorLogger?.recentErrors())?.map((e) => e.message) ?? [];
    while ((await told()).length === 0) await pause(20);
    expect(await told()).toEqual([expect.stringMatching(/max_deliver was changed.* message [12] after 1 deliveries/)]);
    await link.close();
  });

  it('is not what a full stream refuses now: its handlers go on, also where the buffer is full of it, and it is stored', async () => {
    const bus = await start({ maxBytes: 64 * 1024, bufferSize: 4 });
    const seen: unknown[] = [];
    const see = (payload: unknown): void => void seen.push((payload as Buffer)[0]);
    await bus.subscribe('full', see, { subscriberId: 'full', maxQueueSize: 2 });
    const numbers = Array.from({ length: 24 }, (_, n) => n);
    await Promise.all(numbers.map((n) => bus.publishAsync('full', Buffer.alloc(20_000, n), { key: 'k' })));
    await bus.idle();
    expect(seen).toEqual(numbers);
  });

  it('says what failed when the connection came back, and goes on hearing of it', async () => {
    const told: unknown[] = [];
    const seen: string[] = [];
    const down = (): void => void seen.push('down');
    const up = (): never => {
      seen.push('up');
      throw new Error('no way up');
    };
    const link = await openLink(server.url, SOME, { down, up, error: ({ message }) => void told.push(message) });
    for (const times of [1, 2]) {
      await server.kill();
      await until(() => seen.length === 2 * times - 1);
      await server.start();
      await until(() => told.length === times);
    }
    expect(seen).toEqual(['down', 'up', 'down', 'up']);
    expect(told).toEqual(Array.from({ length: 2 }, () => expect.stringContaining('reconnect: no way up')));
    await link.close();
  });

  it('is not what waits for room in the buffer: that is stored in its turn', async () => {
    const bus = await start({ bufferSize: 10 });
    const seen: unknown[] = [];
    await bus.subscribe('burst', (payload) => void seen.push(payload), { subscriberId: 'burst' });
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    await Promise.all(numbers.map((n) => bus.publishAsync('burst', n, { key: 'k' })));
    await bus.idle();
    expect(seen).toEqual(numbers);
  });
});
