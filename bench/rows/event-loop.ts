// What the main thread notices while handlers compute: how late its timers are, and what a call costs it.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Piscina } from 'piscina';
import burns from '../contenders/burns.js';
import { openReceiving, openSubscribed } from '../contenders/busbar.js';
import { openSilent } from '../contenders/post-message.js';
import { burn, stepsFor } from '../load/burn.js';
import { BYTES_64, type Load, OBJECT_200 } from '../load/payloads.js';
import { receivedSoFar } from '../load/receive.js';
import type { Open, Row, Run } from '../run/row.js';

const LANES = 2;
const BURN_MICROSECONDS = 1000;
/** Messages that wait for each lane: it never has nothing to do. */
const WAITING_PER_LANE = 16;
const TOP_UP_MS = 5;
const PISCINA_TASK = new URL('../contenders/far-side/burns.js', import.meta.url).href;
/** Calls made in one go, and then waited for. */
const CALLS = 1000;

export const eventLoop: readonly Row[] = [
  {
    name: "main's event loop delay, handlers of 1 ms busy on every lane",
    payload: '',
    inflight: LANES * WAITING_PER_LANE,
    unit: 'ms',
    better: 'lower',
    parts: ['p50', 'p99'],
    contenders: {
      busbar: delayUnder(async (steps) => {
        const { bus, close } = await openSubscribed(burns, { threads: LANES }, { lanes: LANES });
        return { send: () => bus.publish('bench', steps), close };
      }),
      piscina: delayUnder(async (steps) => {
        const pool = new Piscina({ filename: PISCINA_TASK, minThreads: LANES, maxThreads: LANES, recordTiming: false });
        return { send: () => void pool.run(steps), close: () => pool.destroy() };
      }),
      'on the main thread': delayUnder(async (steps) => ({ send: () => burn(steps), close: () => undefined }), false),
      idle: delayUnder(async () => ({ send: () => undefined, close: () => undefined }), false),
    },
    goals: [{ part: 'p99', name: "main's event loop delay, p99, handlers of 1 ms on every lane", atMost: 5 }],
  },
  costRow(BYTES_64),
  costRow(OBJECT_200),
];

interface Worked {
  send(): unknown;
  close(): unknown;
}

/** @param isCounted messages are received on other threads */
function delayUnder(open: (steps: number) => Promise<Worked>, isCounted = true): Open {
  return async ({ sliceMs }) => {
    const { send, close } = await open(stepsFor(BURN_MICROSECONDS));
    return {
      measure: () => delayWhile(send, isCounted, sliceMs * 2),
      close: async () => {
        await close();
      },
    };
  };
}

/** Keeps the lanes busy from a timer, and measures how late a timer is. */
async function delayWhile(send: () => unknown, isCounted: boolean, ms: number): Promise<number[]> {
  const before = receivedSoFar();
  let sent = 0;
  const waiting = (): number => sent - ((receivedSoFar() - before) | 0);
  const topUp = (): void => {
    const most = isCounted ? LANES * WAITING_PER_LANE - waiting() : 1;
    for (let count = 0; count < most; count++, sent++) send();
  };
  const monitor = monitorEventLoopDelay({ resolution: 1 });
  monitor.enable();
  const timer = setInterval(topUp, TOP_UP_MS);
  await new Promise((resume) => setTimeout(resume, ms));
  clearInterval(timer);
  monitor.disable();
  while (isCounted && waiting() > 0) await new Promise((resume) => setTimeout(resume, 1));
  return [50, 99].map((percentile) => monitor.percentile(percentile) / 1e6);
}

/** Nanoseconds that one call holds the main thread up, while the receiver works beside it. */
function costRow(load: Load): Row {
  return {
    name: 'cost of a call on the main thread',
    isDetail: load !== BYTES_64,
    payload: load.label,
    inflight: CALLS,
    unit: 'ns',
    better: 'lower',
    contenders: {
      busbar: async (run) => {
        const { bus, close } = await openReceiving(load);
        return { measure: () => costOf(() => bus.publish('bench', load.payload), run), close };
      },
      postMessage: async (run) => {
        const worker = await openSilent();
        const close = async (): Promise<void> => void (await worker.terminate());
        return { measure: () => costOf(() => worker.postMessage(load.payload), run), close };
      },
    },
  };
}

async function costOf(call: () => unknown, { sliceMs }: Run): Promise<number> {
  const end = performance.now() + sliceMs;
  let spent = 0;
  let calls = 0;
  while (performance.now() < end) {
    const before = receivedSoFar();
    const began = performance.now();
    for (let count = 0; count < CALLS; count++) call();
    spent += performance.now() - began;
    calls += CALLS;
    while (((receivedSoFar() - before) | 0) < CALLS) await new Promise((resume) => setImmediate(resume));
  }
  return (spent / calls) * 1e6;
}
