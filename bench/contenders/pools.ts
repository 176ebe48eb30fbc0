// The other ways to call a function on a worker thread: comlink, tinypool, workerpool, poolifier; one thread each.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type Endpoint, wrap } from 'comlink';
import { FixedThreadPool } from 'poolifier';
import { Tinypool } from 'tinypool';
import workerpool from 'workerpool';
import type { OpenCalls } from './calls.js';

const nodeEndpoint = createRequire(import.meta.url)('comlink/dist/umd/node-adapter.js') as (
  worker: unknown,
) => Endpoint;

/** By name. Each at its best settings among those that leave a promise to each call. */
export const POOLS: Readonly<Record<string, OpenCalls>> = {
  comlink: async () => {
    const worker = new Worker(farSide('comlink'));
    await once(worker, 'online');
    const receive = wrap<(payload: unknown) => number>(nodeEndpoint(worker));
    return { call: (payload) => receive(payload), close: () => worker.terminate() };
  },
  tinypool: async () => {
    const pool = new Tinypool({
      filename: farSide('task').href,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 64,
    });
    return { call: (payload) => pool.run(payload), close: () => pool.destroy() };
  },
  workerpool: async () => {
    const pool = workerpool.pool(fileURLToPath(farSide('workerpool')), { maxWorkers: 1, workerType: 'thread' });
    return { call: (payload) => pool.exec('receive', [payload]), close: () => pool.terminate() };
  },
  poolifier: async () => {
    const pool = new FixedThreadPool<unknown, unknown>(1, fileURLToPath(farSide('poolifier')));
    return { call: (payload) => pool.execute(payload), close: () => pool.destroy() };
  },
};

function farSide(name: string): URL {
  return new URL(`./far-side/${name}.js`, import.meta.url);
}
