// Finds out what recovery has to say about a failed delivery: its retry configuration, or the user's own strategy.
import type { ErrorRecoveryManager, Verdict } from './failure/recovery.js';
import type { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Reporter } from './reporter.js';
import type { Clock } from './shared/clock.js';
import type { Delivery } from './shared/delivery.js';
import type { Failure } from './shared/outcome.js';
import type { ErrorCategory, ErrorReport } from './shared/report.js';

/** What recovery came to, with the report that its strategy was shown. */
export interface Recovery {
  readonly verdict: Verdict;
  readonly report: ErrorReport;
}

/** Belongs to one bus. Settles nothing. Runs on the main thread. */
export class Recoverer {
  readonly #manager: ErrorRecoveryManager;
  readonly #notes: FailureNotes;
  readonly #reporter: Reporter;
  readonly #clock: Clock;

  constructor(manager: ErrorRecoveryManager, notes: FailureNotes, reporter: Reporter, clock: Clock) {
    this.#manager = manager;
    this.#notes = notes;
    this.#reporter = reporter;
    this.#clock = clock;
  }

  /** False: {@link decide} knows the verdict at once. */
  hasToAct(category: ErrorCategory): boolean {
    return this.#manager.hasStrategy(category);
  }

  /** What the retry configuration says. A configuration that makes no sense must not lose the delivery. */
  decide(subscription: LiveSubscription, delivery: Delivery, failure: Failure): Verdict {
    // A reply that cannot be encoded would fail again in the same way.
    if (failure.phase === 'reply') return { kind: 'dead-letter', reason: 'not_retryable' };
    const facts = subscription.trails.factsOf(delivery, failure, this.#clock.elapsed());
    try {
      return this.#manager.decide(facts, subscription.options.retry);
    } catch (thrown) {
      this.#reporter.log(this.#notes.misconfigured(thrown));
      return { kind: 'dead-letter', reason: 'not_retryable' };
    }
  }

  /** Runs the user's strategy, whose answer decides. Never rejects. */
  async recover(subscription: LiveSubscription, delivery: Delivery, failure: Failure): Promise<Recovery> {
    const report = this.#reporter.report(subscription, delivery, failure);
    const context = { subscriberId: subscription.subscriberId, topic: delivery.topic, attempt: delivery.started };
    const isRecovered = await this.#manager.attemptRecovery(report, context);
    const verdict = this.decide(subscription, delivery, failure);
    return { verdict: isRecovered ? granted(verdict, delivery) : refused(verdict), report };
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
