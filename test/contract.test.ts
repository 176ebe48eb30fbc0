// The promises of delivery, kept by each transport.
import { afterAll, beforeAll } from '@jest/globals';
import { MessageBus, type MessageBusOptions } from '../src/index.js';
import { jetstream } from '../src/transport/jetstream.js';
import { contractOf } from './contract.js';
import { NatsServer } from './jetstream/nats-server.js';
import { sharedFolder } from './test-bus.js';
import { describeWithNats } from './with-nats.js';

const OPTIONS: MessageBusOptions = {
  threads: 1,
  spareThreads: 1,
  retry: { message_processing_error: { maxRetries: 2, backoffMs: 5 } },
};

async function start(options: MessageBusOptions): Promise<MessageBus> {
  const bus = new MessageBus({ ...OPTIONS, ...options });
  await bus.start();
  return bus;
}

const folders = { memory: sharedFolder(), jetstream: sharedFolder() };

contractOf({
  name: 'memory',
  start: () => start({ errorLogDir: folders.memory, dedupeWindowMs: 60_000 }),
  cannot: {
    'subscribers share a subscription': 'memory is one process',
    'messages outlive the process': 'memory is gone with its process; dead letters are not',
  },
});

describeWithNats('JetStream', () => {
  let server: NatsServer;
  let places = 0;

  beforeAll(async () => {
    server = await NatsServer.start();
  });

  afterAll(async () => {
    await server.stop();
  });

  contractOf({
    name: 'JetStream',
    start: (place = `own-${places++}`) => {
      const stream = `TEST-${place}`;
      return start({
        errorLogDir: folders.jetstream,
        transport: jetstream({ servers: server.url, stream, partitions: 2, leaseMs: 1000, ackWaitMs: 1000 }),
      });
    },
    cannot: {
      'what is left at stop is dead-lettered': 'it stays in the stream, for another process',
    },
  });
});
