// npm run jetstream:throughput [-- --messages 60000 --rounds 3]: beside plain publishers and consumers, in turns and in one run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { AckPolicy, jetstreamManager, jetstream as plain, RetentionPolicy } from '@nats-io/jetstream';
import { connect, type Msg } from '@nats-io/transport-node';
import { MessageBus } from '../../src/index.js';
import { decodePayload } from '../../src/shared/codec.js';
import { jetstream } from '../../src/transport/jetstream.js';
import { decodeMessage, isOpening } from '../../src/transport/wire.js';
import receives from '../fixtures/receives.js';
import { startServer } from './nats-server.js';

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '60000' }, rounds: { type: 'string', default: '3' } },
});
const messages = Number(values.messages);
/** Publications on their way at the same time, for all. */
const AT_ONCE = 500;
const PARTITIONS = 8;
const payload = { camera: 'front', at: 1_700_000_000, box: [1, 2, 3, 4], note: 'x'.repeat(120) };

/** Messages in a second, and the processor time of this process for each that is consumed, in microseconds. */
interface Rates {
  readonly publish: number;
  readonly consume: number;
  readonly cost: number;
}

/** Publishes and consumes all messages, by streams of its own. */
type Measure = (servers: string, stream: string) => Promise<Rates>;

/** @param work resolves when all messages are done */
async function rateOf(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return messages / ((performance.now() - startedAt) / 1000);
}

/** As {@link rateOf}, with the processor time of all threads. */
async function consumed(work: () => Promise<void>): Promise<Pick<Rates, 'consume' | 'cost'>> {
  const before = process.cpuUsage();
  const consume = await rateOf(work);
  const { user, system } = process.cpuUsage(before);
  return { consume, cost: (user + system) / messages };
}

/** Keeps so many publications on their way. */
async function publishAll(publish: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const oneAfterAnother = async (): Promise<void> => {
    while (next < messages) await publish(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, oneAfterAnother));
}

interface PlainMessage {
  json(): unknown;
  string(): string;
  ack(): void;
}

/** Where a plain consumer's messages are handled. */
interface PlainHandler {
  /** @param onHandled called for each message once it is acknowledged */
  open(onHandled: () => void): { readonly take: (message: PlainMessage) => void; close(): Promise<unknown> };
}

const onMain: PlainHandler = {
  open: (onHandled) => ({
    take: (message) => {
      message.json();
      message.ack();
      onHandled();
    },
    close: () => Promise.resolve(),
  }),
};

/** By `postMessage` there and back. */
const onWorker: PlainHandler = {
  open: (onHandled) => {
    const worker = new Worker(new URL('./plain-worker.js', import.meta.url));
    const waiting = new Map<number, PlainMessage>();
    let sent = 0;
    worker.on('message', (n: number) => {
      waiting.get(n)?.ack();
      waiting.delete(n);
      onHandled();
    });
    const take = (message: PlainMessage): void => {
      waiting.set(sent, message);
      worker.postMessage({ n: sent++, text: message.string() });
    };
    return { take, close: () => worker.terminate() };
  },
};

/** @param consumers each for its part of the messages; one has all, and needs no filter */
function plainWith(consumers: number, handler: PlainHandler): Measure {
  return async (servers, stream) => {
    const client = await connect({ servers });
    const manager = await jetstreamManager(client);
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`], retention: RetentionPolicy.Interest });
    const names = Array.from({ length: consumers }, (_, index) => `all${index}`);
    for (const [index, name] of names.entries()) {
      await manager.consumers.add(stream, {
        durable_name: name,
        ack_policy: AckPolicy.Explicit,
        max_ack_pending: 10_000,
        ...(consumers === 1 ? {} : { filter_subject: `${stream}.${index}.a` }),
      });
    }
    const own = plain(client);
    const text = JSON.stringify(payload);
    const publish = await rateOf(() =>
      publishAll((n) => own.publish(`${stream}.${n % PARTITIONS}.a`, text, { msgID: `m${n}` })),
    );
    const rates = await consumed(async () => {
      const all = await Promise.all(names.map((name) => own.consumers.get(stream, name)));
      let count = 0;
      await new Promise<void>((done, failed) => {
        const { take, close } = handler.open(() => {
          if (++count === messages) close().then(() => done(), failed);
        });
        for (const one of all) one.consume({ callback: take, max_messages: 10_000 / consumers }).catch(failed);
      });
    });
    await client.close();
    return { publish, ...rates };
  };
}

async function withBus<T>(servers: string, stream: string, run: (bus: MessageBus) => Promise<T>): Promise<T> {
  const errorLogDir = mkdtempSync(join(tmpdir(), 'busbar-throughput-'));
  const transport = jetstream({ servers, stream, partitions: PARTITIONS, leaseMs: 2000 });
  const bus = new MessageBus({ errorLogDir, threads: 1, spareThreads: 0, transport });
  await bus.start();
  const result = await run(bus);
  await bus.stop();
  rmSync(errorLogDir, { recursive: true, force: true });
  return result;
}

/** From the call of `subscribe` to the last message. */
async function consumeAll(bus: MessageBus, isOnWorker: boolean): Promise<void> {
  const options = { subscriberId: 'all', maxQueueSize: 10_000 };
  if (isOnWorker) {
    await bus.subscribe('bus.a', receives, options);
    while ((bus.getHealthStatus().subscriptions[0]?.succeeded ?? 0) < messages) await pause(5);
    return;
  }
  let count = 0;
  await new Promise<void>((done, failed) => {
    bus.subscribe('bus.a', () => void (++count === messages && done()), options).catch(failed);
  });
}

/** Makes the consumers, so that the stream keeps what is published before anybody handles it, and publishes. */
async function publishByBus(servers: string, stream: string, isKeyed: boolean): Promise<number> {
  await withBus(servers, stream, (bus) => bus.subscribe('bus.a', () => undefined, { subscriberId: 'all' }));
  return withBus(servers, stream, (bus) =>
    rateOf(() => publishAll((n) => bus.publishAsync('bus.a', payload, isKeyed ? { key: `k${n % 1000}` } : {}))),
  );
}

/**
 * The floor: the same messages and consumers as busbar's, without busbar. Requests for as many, a callback for each message, which is
 * decoded and acknowledged at once: no lease, no account, no retry.
 */
const bare: Measure = async (servers, stream) => {
  const publish = await publishByBus(servers, stream, false);
  const client = await connect({ servers });
  const consumers = await (await jetstreamManager(client)).consumers.list(stream).next();
  const batch = Math.floor(10_000 / PARTITIONS);
  const pull = (name: string, onHandled: () => void): void => {
    const inbox = `_INBOX.${name}`;
    let missing = 0;
    const ask = (): void => {
      missing = batch;
      const request = JSON.stringify({ batch, expires: 500_000_000 });
      client.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, request, { reply: inbox });
    };
    const callback = (_error: Error | null, { subject, reply = '', data }: Msg): void => {
      if (subject === inbox) {
        ask();
        return;
      }
      const isMessage = !isOpening(data);
      if (isMessage) {
        const { codec, bytes } = decodeMessage(subject, data, 0);
        decodePayload(codec, bytes);
      }
      client.publish(reply, '+ACK');
      if (--missing === 0) ask();
      if (isMessage) onHandled();
    };
    client.subscribe(inbox, { callback });
    ask();
  };
  const rates = await consumed(async () => {
    let count = 0;
    await new Promise<void>((done) => {
      for (const { name } of consumers) pull(name, () => void (++count === messages && done()));
    });
  });
  await client.close();
  return { publish, ...rates };
};

function busWith({ isKeyed = false, isOnWorker = false }): Measure {
  return async (servers, stream) => {
    const publish = await publishByBus(servers, stream, isKeyed);
    const rates = await withBus(servers, stream, (bus) => consumed(() => consumeAll(bus, isOnWorker)));
    return { publish, ...rates };
  };
}

const PLAIN = 'plain, one consumer';
const contenders: Readonly<Record<string, Measure>> = {
  [PLAIN]: plainWith(1, onMain),
  [`plain, ${PARTITIONS} consumers`]: plainWith(PARTITIONS, onMain),
  'plain, on a worker': plainWith(1, onWorker),
  "bare, on busbar's messages": bare,
  'busbar, a function': busWith({}),
  'busbar, a function, with keys': busWith({ isKeyed: true }),
  'busbar, on a worker': busWith({ isOnWorker: true }),
};

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? 0;
}

const rounds: Record<string, Rates>[] = [];
const server = await startServer();
for (let round = 0; round < Number(values.rounds); round++) {
  const rates: Record<string, Rates> = {};
  // Each one goes first once in a while: what runs later finds a warmer process and a fuller server.
  const order = Object.keys(contenders);
  for (const name of [...order.slice(round % order.length), ...order.slice(0, round % order.length)]) {
    const measured = await (contenders[name] as Measure)(server.url, `S${round}-${order.indexOf(name)}`);
    rates[name] = measured;
    const { publish, consume, cost } = measured;
    const consuming = `${Math.round(consume)}/s, ${cost.toFixed(1)} µs each`;
    process.stdout.write(`${round + 1}  ${name}: publish ${Math.round(publish)}/s, consume ${consuming}\n`);
  }
  rounds.push(rates);
}
await server.stop();
process.stdout.write(`\nmedians of ${rounds.length} rounds; in brackets beside a plain client with one consumer\n`);
for (const name of Object.keys(contenders)) {
  const of = (which: string, kind: keyof Rates): number[] => rounds.map((rates) => rates[which]?.[kind] ?? 0);
  const [publish, consume] = (['publish', 'consume'] as const).map((kind) => {
    const ratios = of(name, kind).map((rate, round) => rate / (of(PLAIN, kind)[round] ?? 0));
    return `${kind} ${Math.round(medianOf(of(name, kind)))}/s (${medianOf(ratios).toFixed(2)})`;
  });
  process.stdout.write(`${name}: ${publish}, ${consume}, ${medianOf(of(name, 'cost')).toFixed(1)} µs each\n`);
}
