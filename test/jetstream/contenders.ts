// What is measured against each other: plain publishers and consumers, the least that can be done with busbar's messages, and busbar.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { AckPolicy, jetstreamManager, jetstream as plain, RetentionPolicy } from '@nats-io/jetstream';
import { connect, type Msg } from '@nats-io/transport-node';
import { MessageBus } from '../../src/index.js';
import { decodePayload } from '../../src/shared/codec.js';
import { jetstream } from '../../src/transport/jetstream.js';
import { decodeMessage, isOpening } from '../../src/transport/wire.js';
import receives from '../fixtures/receives.js';
import { type Laps, type Run, rateOf } from './laps.js';

/** Publications on their way at the same time, for all. */
const AT_ONCE = 500;
/** Messages that are here and unsettled at the same time, for all. */
const ROOM = 10_000;
const PARTITIONS = 8;
const payload = { camera: 'front', at: 1_700_000_000, box: [1, 2, 3, 4], note: 'x'.repeat(120) };

/** Publishes all messages, then consumes them, by a stream of its own. Returns publications in a second. */
type Contender = (run: Run, laps: Laps) => Promise<number>;

/** Keeps so many publications on their way. */
function publishAll(messages: number, publish: (n: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const oneAfterAnother = async (): Promise<void> => {
    while (next < messages) await publish(next++);
  };
  return rateOf(messages, () => Promise.all(Array.from({ length: AT_ONCE }, oneAfterAnother)));
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
function plainWith(consumers: number, handler: PlainHandler): Contender {
  return async ({ servers, stream, messages }, laps) => {
    const client = await connect({ servers });
    const manager = await jetstreamManager(client);
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`], retention: RetentionPolicy.Interest });
    const names = Array.from({ length: consumers }, (_, index) => `all${index}`);
    for (const [index, name] of names.entries()) {
      await manager.consumers.add(stream, {
        durable_name: name,
        ack_policy: AckPolicy.Explicit,
        max_ack_pending: ROOM,
        ...(consumers === 1 ? {} : { filter_subject: `${stream}.${index}.a` }),
      });
    }
    const own = plain(client);
    const text = JSON.stringify(payload);
    const published = await publishAll(messages, (n) =>
      own.publish(`${stream}.${n % PARTITIONS}.a`, text, { msgID: `m${n}` }),
    );
    laps.start();
    const all = await Promise.all(names.map((name) => own.consumers.get(stream, name)));
    const { take, close } = handler.open(() => laps.handled());
    for (const one of all) await one.consume({ callback: take, max_messages: ROOM / consumers });
    await laps.done;
    await close();
    await client.close();
    return published;
  };
}

/** How a bus consumes. */
interface Way {
  /** Default 8, as busbar's own. */
  readonly partitions?: number;
  readonly isKeyed?: boolean;
  readonly isOnWorker?: boolean;
}

async function withBus<T>(
  { servers, stream }: Run,
  { partitions = PARTITIONS }: Way,
  run: (bus: MessageBus) => Promise<T>,
): Promise<T> {
  const errorLogDir = mkdtempSync(join(tmpdir(), 'busbar-throughput-'));
  const transport = jetstream({ servers, stream, partitions, leaseMs: 2000 });
  const bus = new MessageBus({ errorLogDir, threads: 1, spareThreads: 0, transport });
  await bus.start();
  const result = await run(bus);
  await bus.stop();
  rmSync(errorLogDir, { recursive: true, force: true });
  return result;
}

/** Makes the consumers, so that the stream keeps what is published before anybody handles it, and publishes. */
async function publishByBus(run: Run, way: Way): Promise<number> {
  await withBus(run, way, (bus) => bus.subscribe('bus.a', () => undefined, { subscriberId: 'all' }));
  const publish = (bus: MessageBus, n: number): Promise<unknown> =>
    bus.publishAsync('bus.a', payload, way.isKeyed ? { key: `k${n % 1000}` } : {});
  return withBus(run, way, (bus) => publishAll(run.messages, (n) => publish(bus, n)));
}

function busWith(way: Way): Contender {
  return async (run, laps) => {
    const published = await publishByBus(run, way);
    await withBus(run, way, async (bus) => {
      const options = { subscriberId: 'all', maxQueueSize: ROOM };
      laps.start();
      if (!way.isOnWorker) {
        await bus.subscribe('bus.a', () => laps.handled(), options);
        await laps.done;
        return;
      }
      await bus.subscribe('bus.a', receives, options);
      const look = (): number => bus.getHealthStatus().subscriptions[0]?.succeeded ?? 0;
      while (!laps.areHandled(look())) await pause(5);
    });
    return published;
  };
}

/**
 * The floor: the same messages and consumers as busbar's, without busbar. Requests for as many, a callback for each message, which is
 * decoded and acknowledged at once: no lease, no account, no retry.
 */
const bare: Contender = async (run, laps) => {
  const { servers, stream } = run;
  const published = await publishByBus(run, {});
  const client = await connect({ servers });
  const consumers = await (await jetstreamManager(client)).consumers.list(stream).next();
  const batch = Math.floor(ROOM / PARTITIONS);
  const pull = (name: string): void => {
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
      if (isMessage) laps.handled();
    };
    client.subscribe(inbox, { callback });
    ask();
  };
  laps.start();
  for (const { name } of consumers) pull(name);
  await laps.done;
  await client.close();
  return published;
};

export const PLAIN = 'plain, one consumer';
export const PLAIN_AS_MANY = `plain, ${PARTITIONS} consumers`;

/** Each partition of a bus is a consumer of the server's: those with one are the like of a plain client with one. */
export const contenders: Readonly<Record<string, Contender>> = {
  [PLAIN]: plainWith(1, onMain),
  'busbar, a function': busWith({}),
  'busbar, a function, one partition': busWith({ partitions: 1 }),
  [PLAIN_AS_MANY]: plainWith(PARTITIONS, onMain),
  'busbar, a function, with keys': busWith({ isKeyed: true }),
  'busbar, a function, with keys, one partition': busWith({ isKeyed: true, partitions: 1 }),
  "bare, on busbar's messages": bare,
  'busbar, on a worker': busWith({ isOnWorker: true }),
  'busbar, on a worker, one partition': busWith({ isOnWorker: true, partitions: 1 }),
  'plain, on a worker': plainWith(1, onWorker),
};
