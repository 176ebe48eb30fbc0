// A process of a chaos trial: handles messages on a worker until it is killed, or told to stop by the end of its input.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageBus } from '../../src/index.js';
import { type JetStreamOptions, jetstream } from '../../src/transport/jetstream.js';
import keepsLedger from '../fixtures/keeps-ledger.js';
import { noting } from './deliveries.js';

const [options, notes] = process.argv.slice(2) as [string, string];
const transport = noting(jetstream(JSON.parse(options) as JetStreamOptions), notes);
const errorLogDir = mkdtempSync(join(tmpdir(), 'busbar-consumer-'));
const retry = {
  message_processing_error: { maxRetries: 1, backoffMs: 5 },
  connection_error: { maxRetries: 1, backoffMs: 5 },
};
const bus = new MessageBus({ transport, errorLogDir, threads: 1, spareThreads: 0, retry });
await bus.start();
await bus.subscribe('chaos.*', keepsLedger, { subscriberId: 'chaos', breaker: false, maxQueueSize: 4000 });
process.stdout.write('ready\n');
process.stdin.resume();
process.stdin.once('end', () => {
  void bus.stop({ timeoutMs: 5000 }).then(() => {
    rmSync(errorLogDir, { recursive: true, force: true });
    process.exit(0);
  });
});
