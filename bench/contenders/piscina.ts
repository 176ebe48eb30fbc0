// piscina.run in the configuration that is fastest for the row at hand: found by trying, before the row begins.
import { Piscina } from 'piscina';
import type { Load } from '../load/payloads.js';
import { promiseEach } from '../load/promise-each.js';
import type { Contender, Open } from '../run/row.js';

const FAR_SIDE = new URL('./far-side/task.js', import.meta.url).href;
const TRIAL_MS = 40;

interface Settings {
  readonly atomics: 'sync' | 'async' | 'disabled';
  readonly concurrentTasksPerWorker: number;
}

/** On the machines seen so far the best is among these. */
const CANDIDATES: readonly Settings[] = (['sync', 'async', 'disabled'] as const).flatMap((atomics) =>
  [16, 64, 512].map((concurrentTasksPerWorker) => ({ atomics, concurrentTasksPerWorker })),
);

export function piscinaRun({ payload, reply }: Load, inflight: number): Open {
  return async ({ sliceMs }) => {
    const measure = (pool: Piscina, ms: number): Promise<number> =>
      promiseEach(() => pool.run(payload), reply, inflight, ms);
    const pool = openPool(await bestOf((trial) => measure(trial, TRIAL_MS)));
    return contenderOf(pool, () => measure(pool, sliceMs));
  };
}

/** @param measure the higher the better */
async function bestOf(measure: (pool: Piscina) => Promise<number>): Promise<Settings> {
  let best = { settings: CANDIDATES[0] as Settings, figure: 0 };
  for (const settings of CANDIDATES) {
    const pool = openPool(settings);
    await measure(pool);
    const figure = await measure(pool);
    await pool.destroy();
    if (figure > best.figure) best = { settings, figure };
  }
  return best.settings;
}

function openPool(settings: Settings): Piscina {
  return new Piscina({ filename: FAR_SIDE, minThreads: 1, maxThreads: 1, recordTiming: false, ...settings });
}

function contenderOf(pool: Piscina, measure: () => Promise<number>): Contender {
  return { measure, close: () => pool.destroy() };
}
