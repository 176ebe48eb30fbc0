// What settling needs of the rest of the bus.
import type { RetryBudget } from './failure/budget.js';
import type { RetrySchedule } from './failure/retries.js';
import type { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Logging } from './observe/logging.js';
import type { Recoverer } from './recoverer.js';
import type { Remote } from './remote.js';
import type { Replays } from './replays.js';
import type { Replies } from './replies.js';
import type { Reporter } from './reporter.js';
import type { Clock } from './shared/clock.js';
import type { Delivery } from './shared/delivery.js';
import type { DeadLetterReason } from './shared/report.js';
import type { SettledDelivery } from './shared/settled-delivery.js';

/** A delivery with the subscription it belongs to. */
export interface Retry {
  readonly subscription: LiveSubscription;
  readonly delivery: Delivery;
}

/** What settling needs of the rest of the bus. */
export interface SettleParts {
  readonly clock: Clock;
  readonly recoverer: Recoverer;
  readonly reporter: Reporter;
  readonly budget: RetryBudget;
  readonly retries: RetrySchedule<Retry>;
  readonly replies: Replies;
  readonly replays: Replays;
  /** Null: error handling is off; one attempt, and failures are dropped. */
  readonly logging: Logging | null;
  /** Null: all is in memory. */
  readonly remote: Remote | null;
  readonly notes: FailureNotes;
  /** Deliveries routed so far, for the retry budget. */
  readonly routed: () => number;
  readonly onDeadLetter: (subscription: LiveSubscription, delivery: Delivery, reason: DeadLetterReason) => void;
  /** Called at each end that a worker does not tell of. */
  readonly onSettled: (
    subscription: LiveSubscription,
    delivery: Delivery,
    outcome: SettledDelivery['outcome'],
    reason: string,
  ) => void;
}
