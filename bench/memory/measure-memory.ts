// A program of its own: what some lanes, threads or error reports take of its memory. Prints kilobytes for each.
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ErrorLogger } from '../../src/index.js';
import { type BenchBus, openBus } from '../contenders/busbar.js';
import receives from '../contenders/receives.js';
import { reportNumber } from '../load/reports.js';

const LANES = 32;
const MESSAGES_PER_LANE = 1000;
const WORKERS = 8;
const REPORTS = 1000;
const payload = new Uint8Array(64);
const IDLE_WORKER = 'setInterval(() => undefined, 2 ** 30)';

/** By name; each in kilobytes of resident memory, unless it says otherwise. */
const scenarios: Readonly<Record<string, () => Promise<number>>> = {
  'idle lane': async () => {
    const opened = await openWithOneLane();
    const before = resident();
    await addLanes(opened);
    const grown = resident() - before;
    await opened.close();
    return grown / LANES;
  },
  'used lane': async () => {
    const opened = await openWithOneLane();
    const before = resident();
    await addLanes(opened);
    for (let round = 0; round < MESSAGES_PER_LANE; round++) {
      for (let lane = 0; lane < LANES; lane++) opened.bus.publish('many', payload, { key: `${lane}` });
      if (round % 100 === 99) await opened.bus.idle();
    }
    const grown = resident() - before;
    await opened.close();
    return grown / LANES;
  },
  'worker thread': async () => {
    const workers = [await idleWorker()];
    const before = resident();
    for (let count = 0; count < WORKERS; count++) workers.push(await idleWorker());
    const grown = resident() - before;
    await Promise.all(workers.map((worker) => worker.terminate()));
    return grown / WORKERS;
  },
  // The last 1000 are kept: beyond that, nothing grows.
  '1000 reports': () =>
    withLogger(async (logger) => {
      await logReports(logger, REPORTS / 5);
      const before = resident();
      await logReports(logger, (REPORTS * 4) / 5);
      return (resident() - before) * (5 / 4);
    }),
  'log of 1000 reports': () =>
    withLogger(async (logger, folder) => {
      await logReports(logger, REPORTS);
      return statSync(join(folder, 'message_bus_errors.json')).size / 1024;
    }),
};

async function openWithOneLane(): Promise<BenchBus> {
  const opened = await openBus();
  await opened.bus.subscribe('one', receives, { subscriberId: 'one' });
  opened.bus.publish('one', payload);
  await opened.bus.idle();
  return opened;
}

async function addLanes({ bus }: BenchBus): Promise<void> {
  await bus.subscribe('many', receives, { subscriberId: 'many', lanes: LANES });
}

async function idleWorker(): Promise<Worker> {
  const worker = new Worker(IDLE_WORKER, { eval: true });
  await once(worker, 'online');
  return worker;
}

async function withLogger(measure: (logger: ErrorLogger, folder: string) => Promise<number>): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-bench-'));
  const logger = new ErrorLogger({ logDir: folder });
  try {
    return await measure(logger, folder);
  } finally {
    await logger.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

let reports = 0;

async function logReports(logger: ErrorLogger, many: number): Promise<void> {
  for (let count = 0; count < many; count++) {
    if (!logger.logError(reportNumber(reports++))) {
      throw new Error('the log had no room for a report');
    }
    if (count % 50 === 49) await logger.flush();
  }
  await logger.flush();
}

function resident(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 1024;
}

const scenario = scenarios[process.argv[2] ?? ''];
if (scenario === undefined) throw new Error(`one of: ${Object.keys(scenarios).join(', ')}`);
console.log(await scenario());
