// The worker half of a lane: the Piscina task that main starts on a pool thread.
import type { LaneTask, LaneTaskResult } from '../src/shared/lane-task.js';
import { markLaneWorker } from '../src/shared/lane-worker.js';
import { Drain } from './lane/drain.js';
import { containLateThrows } from './lane/late.js';
import { describeLoadFailure, loadHandler } from './lane/load.js';

markLaneWorker();
containLateThrows();

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
