// Marks the threads that run handlers, in whatever copy of busbar is loaded there.
import { BusbarError } from './errors.js';

const MARK = Symbol.for('busbar.laneWorker');

/** Called once by each lane worker. */
export function markLaneWorker(): void {
  (globalThis as Record<symbol, unknown>)[MARK] = true;
}

/**
 * A handler module that makes a bus would start threads that start threads.
 *
 * @throws BUSBAR_IN_LANE_WORKER
 */
export function assertNoLaneWorker(): void {
  if ((globalThis as Record<symbol, unknown>)[MARK] !== true) return;
  throw new BusbarError(
    'BUSBAR_IN_LANE_WORKER',
    'a MessageBus cannot be made on a thread that runs handlers; use ctx.publish',
  );
}
