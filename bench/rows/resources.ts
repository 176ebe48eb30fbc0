// What busbar takes when nothing happens, and what its lanes and its error reports take of the memory.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openReceiving } from '../contenders/busbar.js';
import { openSilent } from '../contenders/post-message.js';
import { BYTES_64 } from '../load/payloads.js';
import type { Open, Row, Run } from '../run/row.js';

const MEASURE_MEMORY = fileURLToPath(new URL('../memory/measure-memory.js', import.meta.url));
const run = promisify(execFile);
/** The young generation of each thread would otherwise grow to many times of what is measured. */
const NODE_OPTIONS = ['--expose-gc', '--max-semi-space-size=1'];
/** Each is a process of its own, and starts afresh. */
const MEMORY_ROUNDS = 3;

export const resources: readonly Row[] = [
  {
    name: 'idle processor time',
    payload: '',
    inflight: 0,
    unit: '% of a core',
    better: 'lower',
    rounds: 3,
    isCold: true,
    contenders: {
      busbar: async (options) => {
        const { bus, close } = await openReceiving(BYTES_64);
        return { measure: () => idleTime(() => bus.publish('bench', BYTES_64.payload), options), close };
      },
      postMessage: async (options) => {
        const worker = await openSilent();
        return {
          measure: () => idleTime(() => worker.postMessage(BYTES_64.payload), options),
          close: async () => void (await worker.terminate()),
        };
      },
    },
    goals: [{ name: 'idle processor time', atMost: 1 }],
  },
  memoryRow('memory of a lane', 'idle lane', { 'worker thread': 'worker thread' }),
  { ...memoryRow('memory of a lane that had 1000 messages', 'used lane', {}), isDetail: true },
  {
    ...memoryRow('memory of 1000 error reports', '1000 reports', {}),
    // About 1 KB for each, and 1 KB at the least for its traceback.
    goals: [{ name: 'memory of 1000 error reports, with tracebacks', atMost: 2048 }],
  },
  { ...memoryRow('1000 error reports in the log', 'log of 1000 reports', {}), isDetail: true },
];

/** Nothing but the messages before is sent; all threads of the process together. */
async function idleTime(send: () => unknown, { sliceMs }: Run): Promise<number> {
  send();
  await new Promise((resume) => setTimeout(resume, 200));
  const began = performance.now();
  const before = process.cpuUsage();
  await new Promise((resume) => setTimeout(resume, sliceMs * 8));
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1000 / (performance.now() - began)) * 100;
}

function memoryRow(name: string, scenario: string, peers: Readonly<Record<string, string>>): Row {
  const others = Object.entries(peers).map(([peer, other]): [string, Open] => [peer, memoryOf(other)]);
  return {
    name,
    payload: '',
    inflight: 0,
    unit: 'KB',
    better: 'lower',
    rounds: MEMORY_ROUNDS,
    isCold: true,
    contenders: { busbar: memoryOf(scenario), ...Object.fromEntries(others) },
  };
}

function memoryOf(scenario: string): Open {
  return async () => ({
    measure: async () => {
      const { stdout } = await run(process.execPath, [...NODE_OPTIONS, MEASURE_MEMORY, scenario]);
      return Number(stdout);
    },
    close: async () => undefined,
  });
}
