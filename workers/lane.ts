// The worker half of a lane: the Piscina task that main starts on a pool thread.
import { workerData } from 'node:worker_threads';
import type { HandlerSource, LaneTask, LaneTaskResult } from '../src/shared/lane-task.js';
import { markLaneWorker } from '../src/shared/lane-worker.js';
import { Drain } from './lane/drain.js';
import { containLateThrows } from './lane/late.js';
import { describeLoadFailure, loadHandler } from './lane/load.js';

markLaneWorker();
containLateThrows();

/** Loads the handlers that this thread may be asked for. One that fails tells so when it is asked for. */
export async function preload(): Promise<void> {
  for (const handler of (workerData as readonly HandlerSource[] | null) ?? []) {
    await loadHandler(handler).catch(() => undefined);
  }
}

export default async function runLaneTask(task: LaneTask): Promise<LaneTaskResult> {
  switch (task.kind) {
    case 'load':
      return loadHandler(task.handler).then(
        () => ({ kind: 'loaded' }),
        (thrown: unknown) => ({ kind: 'not-loaded', failure: describeLoadFailure(thrown, task.redact) }),
      );
    case 'drain':
      return loadHandler(task.handler).then(
        (handler) => new Drain(task, handler).run(),
        (thrown: unknown) => ({ kind: 'not-loaded', failure: describeLoadFailure(thrown, task.redact) }),
      );
    default:
      return task satisfies never;
  }
}
