// The task that has a lane's worker read its rings.
import type { DrainTask } from '../shared/lane-task.js';
import type { Blame } from './blame.js';
import type { LaneOptions, LaneSurroundings } from './lane-contract.js';
import type { LaneRings } from './lane-rings.js';
import type { LaneSignals } from './lane-signals.js';

export function drainTask(
  options: LaneOptions,
  rings: LaneRings,
  signals: LaneSignals,
  { mainBell, clock, breakers }: LaneSurroundings,
  blame: Blame,
  number: number,
): DrainTask {
  const { handler, names, shape, breaker, whenOpen, deadline, graceMs, bytes, order, redact } = options;
  const { describeErrors, testing, tellsHandled, maxMessageBytes } = options;
  return {
    kind: 'drain',
    number,
    handler,
    names,
    rings: rings.memories,
    large: rings.large.memories,
    outbox: rings.outboxMemory,
    bell: signals.bellMemory,
    mainBell,
    turn: signals.turnMemory,
    time: clock.memory ?? null,
    breaker: breaker === null ? null : { memory: breaker.memory, offset: breaker.offset },
    breakers: breakers.memory,
    whenOpen,
    deadline,
    graceMs,
    observation: blame.patience.observation,
    concurrency: shape.concurrency,
    isSerial: shape.concurrency === 1,
    bytes,
    maxMessageBytes,
    order,
    parked: rings.parkedMemory,
    redact,
    describeErrors,
    testing,
    tellsHandled,
  };
}
