// Finds out what recovery has to say about a failed delivery: its retry configuration, a reconnect hook, the user's strategy.
import type { ErrorRecoveryManager, FailureFacts, Verdict } from './failure/recovery.js';
import type { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Reporter } from './reporter.js';
import type { Clock } from './shared/clock.js';
import type { Delivery } from './shared/delivery.js';
import type { Failure } from './shared/outcome.js';
import { type ReconnectHook, Reconnector } from './shared/reconnector.js';
import { copyOfReport, ErrorCategory, type ErrorReport } from './shared/report.js';

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
  /** Subscriptions that were given the same hook share its calls. */
  readonly #reconnectors = new WeakMap<ReconnectHook<ErrorReport>, Reconnector<ErrorReport>>();

  constructor(manager: ErrorRecoveryManager, notes: FailureNotes, reporter: Reporter, clock: Clock) {
    this.#manager = manager;
    this.#notes = notes;
    this.#reporter = reporter;
    this.#clock = clock;
  }

  /** False: {@link decide} knows the verdict at once. */
  hasToAct({ options }: LiveSubscription, { category, phase }: Failure): boolean {
    if (this.#manager.hasStrategy(category)) return true;
    // A thread that was lost is replaced already.
    return category === ErrorCategory.CONNECTION_ERROR && phase !== 'thread' && options.reconnect !== undefined;
  }

  /** What the retry configuration says. A configuration that makes no sense must not lose the delivery. */
  decide(subscription: LiveSubscription, delivery: Delivery, failure: Failure): Verdict {
    // A reply that cannot be encoded would fail again in the same way.
    if (failure.phase === 'reply') return { kind: 'dead-letter', reason: 'not_retryable' };
    const facts = subscription.trails.factsOf(delivery, failure, this.#clock.elapsed());
    try {
      const verdict = this.#manager.decide(facts, subscription.options.retry);
      return failure.reconnected === true ? atOnce(verdict, facts) : verdict;
    } catch (thrown) {
      this.#reporter.log(this.#notes.misconfigured(thrown));
      return { kind: 'dead-letter', reason: 'not_retryable' };
    }
  }

  /** Runs the user's strategy, whose answer decides, or else the reconnect hook. Never rejects. */
  async recover(subscription: LiveSubscription, delivery: Delivery, failure: Failure): Promise<Recovery> {
    const report = this.#reporter.report(subscription, delivery, failure);
    if (!this.#manager.hasStrategy(failure.category)) {
      const reconnected = await this.#reconnect(subscription, report);
      return { verdict: this.decide(subscription, delivery, { ...failure, reconnected }), report };
    }
    const context = { subscriberId: subscription.subscriberId, topic: delivery.topic, attempt: delivery.started };
    const isRecovered = await this.#manager.attemptRecovery(report, context);
    const { recovery_error: trouble } = report.context;
    // The manager knows busbar's own secrets only, not the user's.
    if (typeof trouble === 'string') report.context['recovery_error'] = this.#notes.redacted(trouble);
    const verdict = this.decide(subscription, delivery, failure);
    return { verdict: isRecovered ? granted(verdict, delivery) : refused(verdict), report };
  }

  async #reconnect({ options }: LiveSubscription, report: ErrorReport): Promise<boolean> {
    const { reconnect } = options;
    if (reconnect === undefined) return false;
    let reconnector = this.#reconnectors.get(reconnect);
    if (reconnector === undefined) {
      reconnector = new Reconnector(reconnect, this.#clock);
      this.#reconnectors.set(reconnect, reconnector);
    }
    report.recovery_attempted = true;
    const { isBack, trouble } = await reconnector.run(copyOfReport(report));
    report.context['reconnected'] = isBack;
    if (trouble !== undefined) report.context['recovery_error'] = this.#notes.redacted(trouble);
    return isBack;
  }
}

/** The connection is back: no need to wait, the first time. A hook that only says so must not make the retries hot. */
function atOnce(verdict: Verdict, { failedInRow, retryAfterMs }: FailureFacts): Verdict {
  return verdict.kind === 'retry' && failedInRow === 1 && retryAfterMs === undefined
    ? { kind: 'retry', delayMs: 0 }
    : verdict;
}

/** The user's strategy recovered: one more attempt, within the configured number, or one if none is configured. */
function granted(verdict: Verdict, delivery: Delivery): Verdict {
  if (verdict.kind === 'retry' || delivery.failed > 1) return verdict;
  return { kind: 'retry', delayMs: 0 };
}

function refused(verdict: Verdict): Verdict {
  return verdict.kind === 'retry' ? { kind: 'dead-letter', reason: 'not_retryable' } : verdict;
}
