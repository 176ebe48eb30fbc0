// npm run jetstream:scaling [-- --messages 3600 --rounds 3 --partitions 12]: one, two and three processes whose handlers take 5 ms.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stepsFor } from '../../bench/load/burn.js';
import { MessageBus } from '../../src/index.js';
import { type JetStreamOptions, jetstream } from '../../src/transport/jetstream.js';
import type { Work } from '../fixtures/takes-its-time.js';
import { startServer } from './nats-server.js';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '3600' },
    rounds: { type: 'string', default: '3' },
    partitions: { type: 'string', default: '12' },
  },
});
const messages = Number(values.messages);
const HANDLER_MS = 5;
const MOST_PROCESSES = 3;
const LEASE_MS = 2000;

/** Starts a process, and resolves once it has subscribed. */
async function startConsumer(transport: JetStreamOptions, onHandled: (count: number) => void): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./scaling-consumer.js', import.meta.url));
  const consumer = spawn(process.execPath, [program, JSON.stringify(transport)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise<void>((ready, failed) => {
    consumer.once('exit', (code) => failed(new Error(`a process ended with ${code}`)));
    createInterface({ input: consumer.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      if (line === 'ready') ready();
      else onHandled(Number(line));
    });
  });
  return consumer;
}

interface Run {
  /** Messages in a second, from the first publication to the last handler's end. */
  readonly rate: number;
  /** How many each process has handled. */
  readonly shares: readonly number[];
}

async function runWith(processes: number, servers: string, stream: string, work: Work): Promise<Run> {
  const transport = { servers, stream, partitions: Number(values.partitions), leaseMs: LEASE_MS };
  const handled = new Map<number, number>();
  let done: () => void = () => undefined;
  const all = new Promise<void>((resume) => {
    done = resume;
  });
  const count = (consumer: number) => (number: number) => {
    handled.set(consumer, number);
    if ([...handled.values()].reduce((sum, one) => sum + one, 0) === messages) done();
  };
  const starting = Array.from({ length: processes }, (_, index) => startConsumer(transport, count(index)));
  const consumers = await Promise.all(starting);
  // By now each holds its share of the partitions.
  await pause(2 * LEASE_MS);
  const errorLogDir = mkdtempSync(join(tmpdir(), 'busbar-scaling-'));
  const bus = new MessageBus({ transport: jetstream(transport), errorLogDir, threads: 1, spareThreads: 0 });
  await bus.start();
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: messages }, () => bus.publishAsync('scaling.a', work)));
  await all;
  const rate = messages / ((performance.now() - startedAt) / 1000);
  await bus.stop();
  rmSync(errorLogDir, { recursive: true, force: true });
  await Promise.all(consumers.map(ended));
  return { rate, shares: [...handled.values()] };
}

function ended(consumer: ChildProcess): Promise<void> {
  return new Promise((done) => {
    consumer.removeAllListeners('exit').once('exit', () => done());
    consumer.stdin?.end();
  });
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? 0;
}

const kinds: Readonly<Record<string, Work>> = {
  waits: { waitMs: HANDLER_MS },
  computes: { steps: stepsFor(HANDLER_MS * 1000) },
};
process.stdout.write(`${availableParallelism()} cores, ${values.partitions} partitions, ${messages} messages\n`);
const server = await startServer();
for (const [kind, work] of Object.entries(kinds)) {
  const ratios: number[][] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const runs: Run[] = [];
    for (let processes = 1; processes <= MOST_PROCESSES; processes++)
      runs.push(await runWith(processes, server.url, `${kind}${round}-${processes}`, work));
    ratios.push(runs.map(({ rate }) => rate / (runs[0] as Run).rate));
    const shown = runs.map(({ rate, shares }) => `${Math.round(rate)}/s (${shares.join(' + ')})`).join(', ');
    process.stdout.write(`a handler that ${kind} ${HANDLER_MS} ms, 1 to ${MOST_PROCESSES} processes: ${shown}\n`);
  }
  const times = Array.from({ length: MOST_PROCESSES }, (_, index) =>
    medianOf(ratios.map((one) => one[index] as number)),
  );
  process.stdout.write(`medians, times one process: ${times.map((ratio) => ratio.toFixed(2)).join(', ')}\n`);
}
await server.stop();
