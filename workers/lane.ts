// The worker half of a lane: the Piscina task that main starts on a pool thread.
//
// The build makes one CommonJS file of this and all that it imports: a new thread has it after a few milliseconds, where
// the modules one by one took forty. Piscina loads a task's file with require(), and a thread that is ended in the
// middle of a require() of an ES module takes the whole process down (Node 20: "IsGraphAsync must be used on an
// instantiated module"); one that is ended in the middle of an import() does not.
import { workerData } from 'node:worker_threads';
import {
  type HandlerSource,
  type LaneTask,
  type LaneTaskResult,
  Progress,
  type TeardownLink,
} from '../src/shared/lane-task.js';
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

/** Loads this one of a task's handlers, and tells main how far that has come: from here on it is the handler's time. */
function load(handler: HandlerSource, progress: SharedArrayBuffer, count: number): Promise<unknown> {
  const words = new Int32Array(progress);
  Atomics.store(words, Progress.SETTING_UP, 0);
  Atomics.store(words, Progress.COUNT, count);
  Atomics.notify(words, Progress.COUNT);
  return loadHandler(handler, () => Atomics.store(words, Progress.SETTING_UP, 1));
}

export default async function runLaneTask(task: LaneTask): Promise<LaneTaskResult> {
  switch (task.kind) {
    case 'load':
      return load(task.handler, task.progress, 1).then(
        () => ({ kind: 'loaded' }),
        (thrown: unknown) => ({ kind: 'not-loaded', failure: describeLoadFailure(thrown, task.redact) }),
      );
    case 'warm':
      for (const [index, handler] of task.handlers.entries()) {
        await load(handler, task.progress, index + 1).catch(() => undefined);
      }
      return { kind: 'loaded' };
    case 'drain': {
      const turn = new DrainTurn(task.turn);
      turn.take(task.number);
      return loadHandler(task.handler, () => turn.setUp(task.number)).then(
        (handler) => new Drain(task, handler).run(),
        (thrown: unknown) => ({ kind: 'not-loaded', failure: describeLoadFailure(thrown, task.redact) }),
      );
    }
    case 'nothing':
      return { kind: 'loaded' };
    default:
      return task satisfies never;
  }
}
