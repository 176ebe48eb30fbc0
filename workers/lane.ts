// The worker half of a lane: the Piscina task that main starts on a pool thread.
//
// The build makes one CommonJS file of this and all that it imports: a new thread has it after a few milliseconds, where
// the modules one by one took forty. Piscina loads a task's file with require(), and a thread that is ended in the
// middle of a require() of an ES module takes the whole process down (Node 20: "IsGraphAsync must be used on an
// instantiated module"); one that is ended in the middle of an import() does not.
import { workerData } from 'node:worker_threads';
import type { LaneTask, LaneTaskResult, TeardownLink } from '../src/shared/lane-task.js';
import { markLaneWorker } from '../src/shared/lane-worker.js';
import { Drain } from './lane/drain.js';
import { announceExit } from './lane/exit.js';
import { containLateThrows } from './lane/late.js';
import { describeLoadFailure, loadHandler } from './lane/load.js';
import { linkTeardown } from './lane/teardown.js';
import { DrainTurn } from './lane/turn.js';

markLaneWorker();
containLateThrows();
announceExit();
linkTeardown(workerData as TeardownLink);

/** From here on it is the time of this one of the handlers. */
function tellTaken(taken: SharedArrayBuffer, count: number): void {
  const word = new Int32Array(taken);
  Atomics.store(word, 0, count);
  Atomics.notify(word, 0);
}

export default async function runLaneTask(task: LaneTask): Promise<LaneTaskResult> {
  switch (task.kind) {
    case 'load':
      tellTaken(task.taken, 1);
      return loadHandler(task.handler).then(
        () => ({ kind: 'loaded' }),
        (thrown: unknown) => ({ kind: 'not-loaded', failure: describeLoadFailure(thrown, task.redact) }),
      );
    case 'warm':
      for (const [index, handler] of task.handlers.entries()) {
        tellTaken(task.taken, index + 1);
        await loadHandler(handler).catch(() => undefined);
      }
      return { kind: 'loaded' };
    case 'drain':
      new DrainTurn(task.turn).take(task.number);
      return loadHandler(task.handler).then(
        (handler) => new Drain(task, handler).run(),
        (thrown: unknown) => ({ kind: 'not-loaded', failure: describeLoadFailure(thrown, task.redact) }),
      );
    case 'nothing':
      return { kind: 'loaded' };
    default:
      return task satisfies never;
  }
}
