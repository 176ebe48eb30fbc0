// The task that has a lane's worker read its rings.
import type { DrainTask } from '../shared/lane-task.js';
import type { LaneOptions, LaneSurroundings } from './lane-contract.js';
import type { LaneRings } from './lane-rings.js';
import type { LaneSignals } from './lane-signals.js';

/** @param concurrency handlers side by side; less than the lane's own while suspects run one at a time */
export function drainTask(
  options: LaneOptions,
  rings: LaneRings,
  signals: LaneSignals,
  { mainBell, clock, breakers }: LaneSurroundings,
  concurrency: number,
): DrainTask {
  const { handler, names, breaker, whenOpen, timeoutMs, bytes, order, redact, describeErrors } = options;
  return {
    kind: 'drain',
    handler,
    names,
    rings: rings.memories,
    outbox: rings.outboxMemory,
    bell: signals.bellMemory,
    mainBell,
    turn: signals.turnMemory,
    time: clock.memory ?? null,
    breaker: breaker?.memory ?? null,
    breakers: breakers.memory,
    whenOpen,
    timeoutMs,
    concurrency,
    bytes,
    order,
    parked: rings.parkedMemory,
    redact,
    describeErrors,
  };
}
