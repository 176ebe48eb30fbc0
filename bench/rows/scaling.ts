// What a second thread brings when handlers compute, and what the main thread notices of it.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import burns from '../contenders/burns.js';
import { openSubscribed } from '../contenders/busbar.js';
import { stepsFor } from '../load/burn.js';
import { burnAndCount, lastBurntAt } from '../load/receive.js';
import { stream } from '../load/stream.js';
import type { Goal, Open, Row } from '../run/row.js';

const LANES = 2;
/** The handlers have twice as much before them in each row. */
const REST_MS = 4;
/**
 * So many slices make one measurement of the longest handlers. Each begins with both lanes asleep, and the kernel may wake both on
 * one core, and move one only milliseconds later: in one slice that was 3 % of the figure.
 */
const LONG_SLICES = 5;
const BARE_THREAD = new URL('../contenders/far-side/burns-alone.js', import.meta.url);
const PISCINA_TASK = new URL('../contenders/far-side/burns.js', import.meta.url).href;

export const scaling: readonly Row[] = [
  rowOf(5, 4096, undefined),
  rowOf(50, 512, 1.5),
  // Few are under way, so that both lanes come to their end at about the same time.
  rowOf(1000, 32, 1.8),
];

/** @param microseconds of computing in each handler */
function rowOf(microseconds: number, window: number, atLeast: number | undefined): Row {
  const goals: Goal[] = atLeast === undefined ? [] : [{ timesAsGoodAs: 'main thread only', atLeast }];
  return {
    name: `handlers of ${microseconds >= 1000 ? `${microseconds / 1000} ms` : `${microseconds} µs`}, ${LANES} lanes`,
    payload: '',
    inflight: window,
    unit: 'msg/s',
    better: 'higher',
    isDetail: atLeast === undefined,
    contenders: {
      busbar: busbarLanes(microseconds, window),
      'main thread only': mainOnly(microseconds),
      piscina: piscinaThreads(microseconds, window),
      'bare threads': bareThreads(microseconds),
    },
    goals,
  };
}

function msOf(microseconds: number, sliceMs: number): number {
  return microseconds >= 1000 ? sliceMs * LONG_SLICES : sliceMs;
}

function busbarLanes(microseconds: number, window: number): Open {
  return async ({ sliceMs }) => {
    const steps = stepsFor(microseconds);
    const { bus, close } = await openSubscribed(burns, { threads: LANES }, { lanes: LANES });
    return {
      measure: () =>
        stream(() => bus.publish('bench', steps), {
          window,
          ms: msOf(microseconds, sliceMs),
          restMs: REST_MS,
          endedAt: lastBurntAt,
        }),
      close,
    };
  };
}

function mainOnly(microseconds: number): Open {
  return async ({ sliceMs }) => {
    const steps = stepsFor(microseconds);
    return {
      measure: async () => {
        const began = performance.now();
        const ms = msOf(microseconds, sliceMs);
        let calls = 0;
        for (; performance.now() - began < ms; calls++) burnAndCount(steps);
        return (calls / (performance.now() - began)) * 1000;
      },
      close: async () => undefined,
    };
  };
}

/** What the machine has to give: as many threads, which nobody sends anything. */
function bareThreads(microseconds: number): Open {
  return async ({ sliceMs }) => {
    const task = { steps: stepsFor(microseconds), ms: msOf(microseconds, sliceMs) };
    const threads = Array.from({ length: LANES }, () => new Worker(BARE_THREAD));
    await Promise.all(threads.map((thread) => once(thread, 'online')));
    return {
      measure: async () => {
        const figures = threads.map((thread) => once(thread, 'message'));
        for (const thread of threads) thread.postMessage(task);
        return (await Promise.all(figures)).reduce((sum, [figure]) => sum + (figure as number), 0);
      },
      close: async () => {
        await Promise.all(threads.map((thread) => thread.terminate()));
      },
    };
  };
}

function piscinaThreads(microseconds: number, window: number): Open {
  return async ({ sliceMs }) => {
    const steps = stepsFor(microseconds);
    const pool = new Piscina({
      filename: PISCINA_TASK,
      minThreads: LANES,
      maxThreads: LANES,
      concurrentTasksPerWorker: 16,
      recordTiming: false,
    });
    let underWay = Promise.resolve();
    const send = (): boolean => {
      const task = pool.run(steps);
      underWay = underWay.then(() => task);
      return true;
    };
    const measure = async (): Promise<number> => {
      const figure = await stream(send, {
        window,
        ms: msOf(microseconds, sliceMs),
        restMs: REST_MS,
        endedAt: lastBurntAt,
      });
      await underWay;
      return figure;
    };
    return { measure, close: () => pool.destroy() };
  };
}
