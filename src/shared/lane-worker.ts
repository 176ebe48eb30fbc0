// Marks the threads that run handlers, in whatever copy of busbar is loaded there.
const MARK = Symbol.for('busbar.laneWorker');

/** Called once by each lane worker. */
export function markLaneWorker(): void {
  (globalThis as Record<symbol, unknown>)[MARK] = true;
}

/** True on a thread that runs handlers. */
export function isLaneWorker(): boolean {
  return (globalThis as Record<symbol, unknown>)[MARK] === true;
}
