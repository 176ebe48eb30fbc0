// The other ways to call a function on a worker thread: comlink, tinypool, workerpool, poolifier; one thread each.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type Endpoint, wrap } from 'comlink';
import { FixedThreadPool } from 'poolifier';
import { Tinypool } from 'tinypool';
import workerpool from 'workerpool';
import type { Load } from '../load/payloads.js';
import { promiseEach } from '../load/promise-each.js';
import type { Open } from '../run/row.js';

const nodeEndpoint = createRequire(import.meta.url)('comlink/dist/umd/node-adapter.js') as (
  worker: unknown,
) => Endpoint;

/** How a peer is called, and ended. */
interface Peer {
  call(payload: unknown): PromiseLike<unknown>;
  close(): unknown;
}

/** By name. Each at its best settings among those that leave a promise to each call. */
const PEERS: Readonly<Record<string, () => Promise<Peer>>> = {
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

/** One contender for each of these peers. */
export function poolsWithPromises({ payload, reply }: Load, inflight: number): Record<string, Open> {
  return Object.fromEntries(
    Object.entries(PEERS).map(([name, open]): [string, Open] => [
      name,
      async ({ sliceMs }) => {
        const peer = await open();
        return {
          measure: () => promiseEach(() => peer.call(payload), reply, inflight, sliceMs),
          close: async () => {
            await peer.close();
          },
        };
      },
    ]),
  );
}

function farSide(name: string): URL {
  return new URL(`./far-side/${name}.js`, import.meta.url);
}
