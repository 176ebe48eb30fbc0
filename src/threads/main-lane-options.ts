// What a lane for a plain function is given.
import type { CallOptions } from '../shared/attempt.js';
import type { SharedBreaker } from '../shared/breaker.js';
import type { DeadlineRule } from '../shared/deadline.js';
import type { LaneNames } from '../shared/delivery.js';
import type { FailureDescriber } from '../shared/describe.js';
import type { Handler } from '../shared/handler.js';
import type { LaneOrder } from '../shared/order.js';
import type { RateLimit } from './rate-limit.js';

export interface MainLaneOptions {
  readonly handle: Handler;
  /** Of its payloads. */
  readonly call: CallOptions;
  readonly names: LaneNames;
  readonly breaker: SharedBreaker | null;
  readonly whenOpen: 'hold' | 'dead-letter';
  readonly deadline: DeadlineRule;
  readonly graceMs: number;
  readonly concurrency: number;
  readonly describer: FailureDescriber;
  /** Null: none is kept. */
  readonly order: LaneOrder | null;
  /** Null: none. Shared with the other lanes of the subscription. */
  readonly rate: RateLimit | null;
  /** Tells of successes: the bus is under test. */
  readonly tellsSuccess: boolean;
  readonly tellsHandled: boolean;
}
