// What a lane is given, and what it tells.
import type { SharedBreaker } from '../shared/breaker.js';
import type { BreakerDirectory, BreakersMemory, LaidBreaker } from '../shared/breaker-directory.js';
import type { Clock } from '../shared/clock.js';
import type { DeadlineRule } from '../shared/deadline.js';
import type { Delivery, LaneNames } from '../shared/delivery.js';
import type { LaneTesting } from '../shared/fault-plan.js';
import type { HandlerSource, LoadFailure } from '../shared/lane-task.js';
import type { LaneOrder } from '../shared/order.js';
import type { ReadOutcome } from '../shared/outcome.js';
import type { RedactOptions } from '../shared/redact.js';
import type { Reply } from '../shared/reply.js';
import type { RingShape } from './lane-ring.js';
import type { Pool } from './pool.js';
import type { RateLimit } from './rate-limit.js';
import type { Turns } from './turns.js';

/** Why a delivery's thread ended under it. `never-settled`: past its deadline, though nothing blocked the thread. */
export type KillCause = 'deadline' | 'never-settled' | 'exited' | 'out-of-memory';

/** How a delivery's thread ended under it. Times in milliseconds. */
export interface Kill {
  readonly cause: KillCause;
  /** How long its handler ran. */
  readonly ranMs: number;
  /** How long it might have. */
  readonly timeoutMs: number;
  /** Null: the thread has not told. */
  readonly exitCode: number | null;
}

/** What waits in a lane. */
export interface Waiting {
  readonly deliveries: number;
  /** Of their payloads, and of those that run. */
  readonly bytes: number;
}

/** What a lane tells its subscription. All deliveries given here own their bytes. */
export interface LaneEvents {
  /** The delivery is main's again. */
  handedBack(delivery: Delivery, outcome: ReadOutcome): void;
  /** This delivery, and no other, ended its thread. */
  killed(delivery: Delivery, kill: Kill): void;
  /** This delivery, or another one, ended its thread: it has to run where there are no others. */
  suspected(delivery: Delivery): void;
  /** A handler published, logged, succeeded after failures, or threw late. */
  news(outcome: ReadOutcome): void;
  /** A handler returned what somebody asked for. */
  replied(reply: Reply): void;
  /** The handler of this message succeeded; told only where `tellsHandled` is set. */
  handled(number: number): void;
  /** All of the above that could be heard for now has been told. */
  heard(): void;
  /** The lane's thread was told to end `ms` ago, and has not: the lane stands still until it has. */
  lingers(ms: number): void;
  /** The lane's handler could not be loaded on its thread: it stands still before it tries again. */
  unloaded(failure: LoadFailure): void;
  /** The lane's thread keeps dying without a culprit: it stands still until `retryMs` have passed. */
  storm(deaths: number, retryMs: number): void;
}

/** What all lanes of a bus share. */
export interface LaneSurroundings {
  readonly pool: Pool;
  /** In which a thread takes a task that is for this handler, in milliseconds. */
  readonly takeMs: (handler: HandlerSource) => number;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly mainBell: SharedArrayBuffer;
  /** Those that handlers can name. */
  readonly breakers: { readonly memory: BreakersMemory; readonly directory: BreakerDirectory };
  /** Something may run now: see that it keeps its deadline. Cheap while somebody looks already. */
  readonly watch: () => void;
}

export interface LaneOptions {
  readonly handler: HandlerSource;
  readonly names: LaneNames;
  readonly shape: RingShape;
  readonly breaker: (LaidBreaker & { readonly local: SharedBreaker }) | null;
  readonly whenOpen: 'hold' | 'dead-letter';
  readonly deadline: DeadlineRule;
  /** From the soft signal to the end of the thread, in milliseconds. */
  readonly graceMs: number;
  readonly bytes: 'copy' | 'view';
  /** The largest payload that a handler may return or publish. */
  readonly maxMessageBytes: number;
  /** Null: none is kept. */
  readonly order: LaneOrder | null;
  /** Null: none. Shared with the other lanes of the subscription. */
  readonly rate: RateLimit | null;
  readonly redact: RedactOptions;
  readonly describeErrors: boolean;
  readonly testing: LaneTesting | null;
  /** Each success is told: it costs the worker a record, and main its reading. */
  readonly tellsHandled: boolean;
  /** It runs what has ended a thread, or may have. */
  readonly isQuarantine: boolean;
}

/** `ending`: its thread was told to end, and may not have yet. `held`: the breaker is open. `storm`: its threads keep dying. */
export type LaneState = 'idle' | 'waiting' | 'draining' | 'ending' | 'held' | 'storm' | 'closed';
