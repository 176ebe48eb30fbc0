// A process that ends with each message that it handles. Says `ready`, then handles what comes.
import { MessageBus } from '../../src/index.js';
import { type JetStreamOptions, jetstream } from '../../src/transport/jetstream.js';
import killsItsProcess from '../fixtures/kills-its-process.js';

const [transport, errorLogDir, topic] = process.argv.slice(2) as [string, string, string];
const options = JSON.parse(transport) as JetStreamOptions;
const bus = new MessageBus({ transport: jetstream(options), errorLogDir, threads: 1, spareThreads: 0 });
await bus.start();
await bus.subscribe(topic, killsItsProcess, { subscriberId: 'victim' });
process.stdout.write('ready\n');
