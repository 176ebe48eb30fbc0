// A process of the scaling measurement: says `ready`, then how many messages it has handled, until its input ends.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageBus } from '../../src/index.js';
import { type JetStreamOptions, jetstream } from '../../src/transport/jetstream.js';
import takesItsTime from '../fixtures/takes-its-time.js';

const LOOK_MS = 20;

const transport = JSON.parse(process.argv[2] as string) as JetStreamOptions;
const errorLogDir = mkdtempSync(join(tmpdir(), 'busbar-scaling-'));
const bus = new MessageBus({ transport: jetstream(transport), errorLogDir, threads: 1, spareThreads: 0 });
await bus.start();
await bus.subscribe('scaling.a', takesItsTime, { subscriberId: 'scaling' });
process.stdout.write('ready\n');
let told = 0;
const telling = setInterval(() => {
  const handled = bus.getHealthStatus().subscriptions[0]?.succeeded ?? 0;
  if (handled === told) return;
  told = handled;
  process.stdout.write(`${handled}\n`);
}, LOOK_MS);
process.stdin.resume();
process.stdin.once('end', () => {
  clearInterval(telling);
  void bus.stop().then(() => {
    rmSync(errorLogDir, { recursive: true, force: true });
    process.exit(0);
  });
});
