// The worker half of a lane: the Piscina task that main starts on a pool thread.
//
// The build makes one CommonJS file of this and all that it imports: a new thread has it after a few milliseconds, where
// the modules one by one took forty. Piscina loads a task's file with require(), and a thread that is ended in the
// middle of a require() of an ES module takes the whole process down (Node 20: "IsGraphAsync must be used on an
// instantiated module"); one that is ended in the middle of an import() does not.
import { workerData } from 'node:worker_threads';
import type { LaneTask, LaneTaskResult, LaneWorkerData } from '../src/shared/lane-task.js';
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
void preload();

/** Loads the handlers that this thread may be asked for, as soon as it begins: a spare thread takes over within
 * milliseconds. One that fails tells so when it is asked for. */
async function preload(): Promise<void> {
  const { handlers, ...link } = workerData as LaneWorkerData;
  linkTeardown(link);
  for (const handler of handlers) {
    await loadHandler(handler).catch(() => undefined);
  }
}

/** From here on it is the handler's time. */
function tellTaken(taken: Int32Array): void {
  Atomics.store(taken, 0, 1);
  Atomics.notify(taken, 0);
}

export default async function runLaneTask(task: LaneTask): Promise<LaneTaskResult> {
  switch (task.kind) {
    case 'load':
      tellTaken(new Int32Array(task.taken));
      return loadHandler(task.handler).then(
        () => ({ kind: 'loaded' }),
        (thrown: unknown) => ({ kind: 'not-loaded', failure: describeLoadFailure(thrown, task.redact) }),
      );
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
