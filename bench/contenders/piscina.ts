// piscina.run in the configuration that is fastest for the row at hand: found by trying, before the row begins.
import { Piscina } from 'piscina';
import type { Load } from '../load/payloads.js';
import { promiseEach } from '../load/promise-each.js';
import type { OpenCalls } from './calls.js';

const FAR_SIDE = new URL('./far-side/task.js', import.meta.url).href;
const TRIAL_MS = 40;
const QUICK_TRIAL_MS = 20;

interface Settings {
  readonly atomics: 'sync' | 'async' | 'disabled';
  readonly concurrentTasksPerWorker: number;
}

/** @param inflight calls that will be under way */
export function piscinaCalls({ payload, reply }: Load, inflight: number): OpenCalls {
  return async ({ isQuick }) => {
    const trialMs = isQuick ? QUICK_TRIAL_MS : TRIAL_MS;
    const settings = await bestOf(candidates(inflight, isQuick), (pool) =>
      promiseEach(() => pool.run(payload), reply, inflight, trialMs),
    );
    const pool = openPool(settings);
    return { call: (payload) => pool.run(payload), close: () => pool.destroy() };
  };
}

/** On the machines seen so far the best is among these; mostly among the few that a quick run tries. */
function candidates(inflight: number, isQuick: boolean): Settings[] {
  const modes = isQuick ? (['sync', 'disabled'] as const) : (['sync', 'async', 'disabled'] as const);
  const tasks = isQuick ? [Math.min(inflight, 64)] : [1, 16, 64, 512].filter((count) => count <= inflight);
  return modes.flatMap((atomics) => tasks.map((concurrentTasksPerWorker) => ({ atomics, concurrentTasksPerWorker })));
}

/** @param measure the higher the better; its first figure of each is a warm-up */
async function bestOf(among: readonly Settings[], measure: (pool: Piscina) => Promise<number>): Promise<Settings> {
  let best = { settings: among[0] as Settings, figure: 0 };
  for (const settings of among) {
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
