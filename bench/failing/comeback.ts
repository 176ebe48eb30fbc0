// How long a lane stands still when its thread has ended: from the exit to the next handler that begins.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { MessageBus } from '../../src/index.js';
import { systemClock } from '../../src/shared/clock.js';
import exits from './exits.js';
import { type Figure, median } from './figure.js';

/** A new thread is ready after so long on any machine. */
const NEW_THREAD_MS = 150;

/** @param rounds kills for each figure */
export async function comeback(rounds = 20): Promise<Figure[]> {
  return [
    {
      name: 'a bare empty worker: from its exit to its successor’s start',
      value: await bareComeback(rounds),
      unit: 'ms',
    },
    {
      name: 'a piscina alone with the same handler: the same',
      value: await piscinaComeback(rounds),
      unit: 'ms',
    },
    {
      name: 'from a kill to the lane at work again, no spare thread',
      value: await medianComeback(rounds, 0),
      unit: 'ms',
      atMost: 50,
    },
    {
      name: 'from a kill to the lane at work again, a spare thread',
      value: await medianComeback(rounds, 1),
      unit: 'ms',
      atMost: 10,
    },
  ];
}

/** What the machine itself allows where no thread stands by. */
export async function bareComeback(rounds: number): Promise<number> {
  const script = `require('node:worker_threads').parentPort.once('message', () => process.exit(1)).postMessage('up')`;
  const samples: number[] = [];
  let worker = new Worker(script, { eval: true });
  await once(worker, 'message');
  for (let round = 0; round < rounds; round++) {
    const started = systemClock.elapsed();
    worker.postMessage('end');
    await once(worker, 'exit');
    worker = new Worker(script, { eval: true });
    await once(worker, 'message');
    samples.push(systemClock.elapsed() - started);
  }
  await worker.terminate();
  return median(samples);
}

/** What the pool and the loader of ES modules take, without busbar. */
export async function piscinaComeback(rounds: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-comeback-'));
  const file = join(folder, 'exits');
  const filename = new URL('../contenders/far-side/exits.js', import.meta.url).href;
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, atomics: 'disabled', recordTiming: false });
  pool.on('error', () => undefined);
  await pool.run('');
  const began: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const ended = pool.run(file).catch(() => undefined);
    began.push(await pool.run(''));
    await ended;
    await sleep(NEW_THREAD_MS);
  }
  await pool.destroy();
  return medianSince(began, folder);
}

/** Milliseconds from an exit to the next handler that begins. */
export async function medianComeback(rounds: number, spareThreads: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-comeback-'));
  const file = join(folder, 'exits');
  const bus = new MessageBus({ threads: 1, spareThreads, enableErrorHandling: false });
  await bus.start();
  await bus.subscribe('lane', exits, { subscriberId: 'lane', breaker: false });
  const began: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bus.publish('lane', file);
    began.push(await bus.request<number>('lane', ''));
    await sleep(NEW_THREAD_MS);
  }
  await bus.stop();
  return medianSince(began, folder);
}

/** From the exits that are noted in this folder, which goes. */
function medianSince(began: readonly number[], folder: string): number {
  const ended = readFileSync(join(folder, 'exits'), 'utf8').trim().split('\n').map(Number);
  rmSync(folder, { recursive: true, force: true });
  return median(began.map((at, round) => at - (ended[round] ?? Number.NaN)));
}
