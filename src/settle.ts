// Carries out what becomes of a delivery: another attempt, the dead-letter queue, or the end. The only place that does.
import { nanoid } from 'nanoid';
import type { RetryBudget } from './failure/budget.js';
import type { ErrorRecoveryManager, Verdict } from './failure/recovery.js';
import type { RetrySchedule } from './failure/retries.js';
import type { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Logging } from './observe/logging.js';
import type { Replies } from './replies.js';
import { countsForBreaker } from './shared/classify.js';
import type { Clock } from './shared/clock.js';
import type { Delivery } from './shared/delivery.js';
import type { ErrorCounters } from './shared/error-counters.js';
import { BusbarError } from './shared/errors.js';
import { type Failure, Outcome, type ReadOutcome } from './shared/outcome.js';
import type { DeadLetterReason, ErrorReport } from './shared/report.js';
import type { KillCause } from './threads/lane-contract.js';

/** A delivery with the subscription it belongs to. */
export interface Retry {
  readonly subscription: LiveSubscription;
  readonly delivery: Delivery;
}

/** What settling needs of the rest of the bus. */
export interface SettleParts {
  readonly clock: Clock;
  readonly recovery: ErrorRecoveryManager;
  readonly budget: RetryBudget;
  readonly retries: RetrySchedule<Retry>;
  readonly replies: Replies;
  /** Null: error handling is off; one attempt, and failures are dropped. */
  readonly logging: Logging | null;
  readonly counters: ErrorCounters;
  readonly notes: FailureNotes;
  /** Deliveries routed so far, for the retry budget. */
  readonly routed: () => number;
  readonly onDeadLetter: (subscription: LiveSubscription, delivery: Delivery, reason: DeadLetterReason) => void;
}

/** Exits of its thread after which a message is quarantined. */
const POISON_KILLS = 2;

/** Belongs to one bus. Runs on the main thread. */
export class Settler {
  readonly #parts: SettleParts;
  errorsRecovered = 0;

  constructor(parts: SettleParts) {
    this.#parts = parts;
  }

  /** A worker gave the delivery back. */
  handedBack(subscription: LiveSubscription, delivery: Delivery, outcome: ReadOutcome): void {
    switch (outcome.kind) {
      case Outcome.FAILED:
        this.#fail(subscription, delivery, outcome.detail);
        break;
      case Outcome.RETRY_LATER:
        delivery.started++;
        this.#retry(subscription, delivery, outcome.detail.delayMs);
        break;
      case Outcome.DEAD_LETTERED:
        delivery.started++;
        this.giveUp(subscription, delivery, outcome.detail, 'rejected_by_handler');
        break;
      case Outcome.DISCARDED:
        delivery.started++;
        this.#drop(subscription, delivery, outcome.detail, 'discarded');
        break;
      case Outcome.EXPIRED:
        this.expire(subscription, delivery);
        break;
      case Outcome.REFUSED:
        this.giveUp(subscription, delivery, this.#parts.notes.breakerOpen(subscription), 'breaker_open');
        break;
      default:
        throw new BusbarError('BUSBAR_DECODING', `an outcome of kind ${outcome.kind} gives nothing back`);
    }
  }

  /** A delivery ended its thread. */
  killed(subscription: LiveSubscription, delivery: Delivery, cause: KillCause, ranMs: number): void {
    const failure = this.#parts.notes.killed(subscription, delivery, cause, ranMs);
    if (delivery.failed === 0 || subscription.breaker?.state === 'half_open') {
      if (countsForBreaker(failure.category)) subscription.breaker?.failureOfLostThread();
    }
    if (cause === 'exited') delivery.kills++;
    if (delivery.kills < POISON_KILLS) {
      this.#fail(subscription, delivery, failure);
      return;
    }
    delivery.started++;
    delivery.failed++;
    this.#note(subscription, delivery, failure);
    this.giveUp(subscription, delivery, failure, 'poison');
  }

  /** A delivery that had failed before has succeeded. */
  recovered(subscription: LiveSubscription, number: number): void {
    if (subscription.trails.end(number)) this.errorsRecovered++;
  }

  /** The message outlived its time before a handler started. */
  expire(subscription: LiveSubscription, delivery: Delivery): void {
    this.#drop(subscription, delivery, this.#parts.notes.expired(), 'expired');
  }

  /** The end of a delivery that will not be tried again: a dead letter, settled once it is on the disk. */
  giveUp(
    subscription: LiveSubscription,
    delivery: Delivery,
    failure: Failure,
    reason: DeadLetterReason,
    report?: ErrorReport,
  ): void {
    const { logging, notes, replies, onDeadLetter } = this.#parts;
    if (logging === null) {
      this.#drop(subscription, delivery, failure, reason);
      return;
    }
    const written = report ?? this.#report(subscription, delivery, failure, reason);
    if (report === undefined) this.#log(written);
    const header = notes.letter(subscription, delivery, failure, reason, written.error_id);
    subscription.trails.end(delivery.number);
    replies.reject(delivery.number, reason, failure.error);
    if (notes.isReplay(delivery)) {
      // Its letter is in the queue already, and learns of this through the reply.
      subscription.deadLettered++;
      return;
    }
    subscription.settling++;
    logging.letter(header, delivery.bytes, () => {
      subscription.settling--;
      subscription.deadLettered++;
      onDeadLetter(subscription, delivery, reason);
    });
  }

  /** Something failed that is no delivery's fault, or whose delivery is settled. */
  report(report: ErrorReport): void {
    this.#log(report);
  }

  #fail(subscription: LiveSubscription, delivery: Delivery, failure: Failure): void {
    delivery.started++;
    delivery.failed++;
    if (this.#parts.logging === null) {
      this.#drop(subscription, delivery, failure, 'failed');
      return;
    }
    this.#note(subscription, delivery, failure);
    const { recovery } = this.#parts;
    if (!recovery.hasStrategy(failure.category)) {
      this.#carryOut(subscription, delivery, failure, this.#decide(subscription, delivery, failure));
      return;
    }
    const report = this.#report(subscription, delivery, failure);
    subscription.settling++;
    const context = { subscriberId: subscription.subscriberId, topic: delivery.topic, attempt: delivery.started };
    void recovery.attemptRecovery(report, context).then((isRecovered) => {
      subscription.settling--;
      const verdict = this.#decide(subscription, delivery, failure);
      this.#carryOut(
        subscription,
        delivery,
        failure,
        isRecovered ? granted(verdict, delivery) : refused(verdict),
        report,
      );
    });
  }

  /** What the retry configuration says. A configuration that makes no sense must not lose the delivery. */
  #decide(subscription: LiveSubscription, delivery: Delivery, failure: Failure): Verdict {
    const { recovery, clock, notes } = this.#parts;
    // A reply that cannot be encoded would fail again in the same way.
    if (failure.phase === 'reply') return { kind: 'dead-letter', reason: 'not_retryable' };
    const facts = subscription.trails.factsOf(delivery, failure, clock.elapsed());
    try {
      return recovery.decide(facts, subscription.options.retry);
    } catch (thrown) {
      this.#log(notes.misconfigured(thrown));
      return { kind: 'dead-letter', reason: 'not_retryable' };
    }
  }

  #carryOut(
    subscription: LiveSubscription,
    delivery: Delivery,
    failure: Failure,
    verdict: Verdict,
    known?: ErrorReport,
  ): void {
    const report = known ?? this.#report(subscription, delivery, failure);
    const isRetried = verdict.kind === 'retry';
    report.recovery_attempted ||= isRetried;
    report.recovery_successful = isRetried;
    report.context['verdict'] = isRetried ? 'retry' : `dead letter: ${verdict.reason}`;
    this.#log(report);
    if (!isRetried) {
      this.giveUp(subscription, delivery, failure, verdict.reason, report);
      return;
    }
    const { budget, clock, routed } = this.#parts;
    this.#retry(subscription, delivery, verdict.delayMs + budget.take(routed(), clock.elapsed()));
  }

  #retry(subscription: LiveSubscription, delivery: Delivery, delayMs: number): void {
    if (subscription.isClosed) {
      this.giveUp(subscription, delivery, this.#parts.notes.shutdown(delivery), 'shutdown');
      return;
    }
    subscription.retrying++;
    this.#parts.retries.add({ subscription, delivery }, delayMs);
  }

  #drop(subscription: LiveSubscription, delivery: Delivery, failure: Failure, why: string): void {
    const { logging, replies } = this.#parts;
    if (logging !== null) this.#log(this.#report(subscription, delivery, failure, why));
    subscription.trails.end(delivery.number);
    subscription.dropped++;
    replies.reject(delivery.number, why, failure.error);
  }

  #note(subscription: LiveSubscription, delivery: Delivery, failure: Failure): void {
    const { clock } = this.#parts;
    subscription.trails.add(delivery, failure, clock.now() / 1000, clock.elapsed());
  }

  #report(subscription: LiveSubscription, delivery: Delivery, failure: Failure, verdict?: string): ErrorReport {
    return this.#parts.notes.report(subscription, delivery, failure, nanoid(), verdict);
  }

  #log(report: ErrorReport): void {
    this.#parts.counters.add(report);
    this.#parts.logging?.report(report);
  }
}

/** The user's strategy recovered: one more attempt, within the configured number, or one if none is configured. */
function granted(verdict: Verdict, delivery: Delivery): Verdict {
  if (verdict.kind === 'retry' || delivery.failed > 1) return verdict;
  return { kind: 'retry', delayMs: 0 };
}

function refused(verdict: Verdict): Verdict {
  return verdict.kind === 'retry' ? { kind: 'dead-letter', reason: 'not_retryable' } : verdict;
}
