// npm run jetstream:throughput [-- --messages 20000 --rounds 3]: beside a plain publisher and consumer, in turns and in one run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AckPolicy, jetstreamManager, jetstream as plain, RetentionPolicy } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { MessageBus } from '../../src/index.js';
import { jetstream } from '../../src/transport/jetstream.js';
import { startServer } from './nats-server.js';

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '20000' }, rounds: { type: 'string', default: '3' } },
});
const messages = Number(values.messages);
/** Publications on their way at the same time, for both. */
const AT_ONCE = 500;
const payload = { camera: 'front', at: 1_700_000_000, box: [1, 2, 3, 4], note: 'x'.repeat(120) };

interface Rates {
  readonly publish: number;
  readonly consume: number;
}

async function inTurns(publish: (n: number) => Promise<unknown>): Promise<number> {
  const running = new Set<Promise<unknown>>();
  const startedAt = performance.now();
  for (let n = 0; n < messages; n++) {
    const one = publish(n).finally(() => running.delete(one));
    running.add(one);
    if (running.size >= AT_ONCE) await Promise.race(running);
  }
  await Promise.all(running);
  return messages / ((performance.now() - startedAt) / 1000);
}

async function measurePlain(servers: string, round: number): Promise<Rates> {
  const client = await connect({ servers });
  const manager = await jetstreamManager(client);
  const stream = `PLAIN${round}`;
  await manager.streams.add({ name: stream, subjects: [`plain${round}.>`], retention: RetentionPolicy.Interest });
  await manager.consumers.add(stream, { durable_name: 'all', ack_policy: AckPolicy.Explicit, max_ack_pending: 10_000 });
  const bodies = JSON.stringify(payload);
  const publish = await inTurns((n) => plain(client).publish(`plain${round}.a`, bodies, { msgID: `m${n}` }));
  const consumer = await plain(client).consumers.get(stream, 'all');
  const startedAt = performance.now();
  await new Promise<void>((done, failed) => {
    let count = 0;
    const callback = (message: { json(): unknown; ack(): void }): void => {
      message.json();
      message.ack();
      if (++count === messages) done();
    };
    consumer.consume({ callback, max_messages: 5000 }).catch(failed);
  });
  const consume = messages / ((performance.now() - startedAt) / 1000);
  await client.close();
  return { publish, consume };
}

async function withBus<T>(servers: string, stream: string, run: (bus: MessageBus) => Promise<T>): Promise<T> {
  const errorLogDir = mkdtempSync(join(tmpdir(), 'busbar-throughput-'));
  const transport = jetstream({ servers, stream, leaseMs: 2000 });
  const bus = new MessageBus({ errorLogDir, threads: 1, spareThreads: 0, transport });
  await bus.start();
  const result = await run(bus);
  await bus.stop();
  rmSync(errorLogDir, { recursive: true, force: true });
  return result;
}

/** From the call of `subscribe` to the last message. */
async function consumeAll(bus: MessageBus): Promise<number> {
  let count = 0;
  let done: () => void = () => undefined;
  const all = new Promise<void>((resume) => {
    done = resume;
  });
  const startedAt = performance.now();
  await bus.subscribe('bus.a', () => void (++count === messages && done()), {
    subscriberId: 'all',
    maxQueueSize: 40_000,
  });
  await all;
  return messages / ((performance.now() - startedAt) / 1000);
}

async function measureBus(servers: string, round: number, isKeyed: boolean): Promise<Rates> {
  const stream = `BUS${round}${isKeyed ? 'K' : ''}`;
  // Makes the consumers, so that the stream keeps what is published before anybody handles it.
  await withBus(servers, stream, async (bus) => {
    await bus.subscribe('bus.a', () => undefined, { subscriberId: 'all' });
  });
  const publish = await withBus(servers, stream, (bus) =>
    inTurns((n) => bus.publishAsync('bus.a', payload, isKeyed ? { key: `k${n % 1000}` } : {})),
  );
  return { publish, consume: await withBus(servers, stream, consumeAll) };
}

const server = await startServer();
for (let round = 0; round < Number(values.rounds); round++) {
  const beside = await measurePlain(server.url, round);
  const own = await measureBus(server.url, round, false);
  const keyed = await measureBus(server.url, round, true);
  const show = (rates: Rates): string =>
    `publish ${Math.round(rates.publish)}/s, consume ${Math.round(rates.consume)}/s`;
  const ratio = `${(own.publish / beside.publish).toFixed(2)} and ${(own.consume / beside.consume).toFixed(2)}`;
  process.stdout.write(`plain: ${show(beside)}; busbar: ${show(own)}; keyed: ${show(keyed)}; ratios ${ratio}\n`);
}
await server.stop();
