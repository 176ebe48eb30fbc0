// Carries out what becomes of a delivery: another attempt, the dead-letter queue, or the end. The only place that does.
import type { Verdict } from './failure/recovery.js';
import type { LiveSubscription } from './live-subscription.js';
import type { SettleParts } from './settle-parts.js';
import { countsForBreaker } from './shared/classify.js';
import type { Delivery } from './shared/delivery.js';
import { BusbarError } from './shared/errors.js';
import { withStableId } from './shared/letter-id.js';
import { type Failure, Outcome, type ReadOutcome } from './shared/outcome.js';
import { type DeadLetterReason, ErrorCategory, type ErrorReport } from './shared/report.js';
import type { KillCause } from './threads/lane-contract.js';

/** Exits of its thread after which a message is quarantined. */
const POISON_KILLS = 2;
/** They are counted in a byte. */
const MOST_TIMEOUTS = 255;

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
        this.#parts.reporter.putOff(subscription, delivery);
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
  killed(subscription: LiveSubscription, delivery: Delivery, failure: Failure, cause: KillCause): void {
    if (delivery.failed === 0 || subscription.breaker?.state === 'half_open') {
      if (countsForBreaker(failure.category)) subscription.breaker?.failureOfLostThread();
    }
    // What only waits in vain is in nobody's way.
    if (cause !== 'never-settled') subscription.suspect(delivery);
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

  /** A delivery, or one of those that ran beside it, ended their thread. */
  suspected(subscription: LiveSubscription, delivery: Delivery): void {
    delivery.started++;
    subscription.suspect(delivery);
    this.#retry(subscription, delivery, 0);
  }

  /** A delivery that had begun before has succeeded. */
  recovered(subscription: LiveSubscription, number: number): void {
    subscription.release(number);
    if (subscription.trails.end(number)) this.errorsRecovered++;
  }

  /** The transport brought a message that must not run. */
  refuse(subscription: LiveSubscription, delivery: Delivery, reason: DeadLetterReason, thrown: unknown): void {
    this.giveUp(subscription, delivery, this.#parts.notes.refused(thrown), reason);
  }

  /** The message outlived its time before a handler started. */
  expire(subscription: LiveSubscription, delivery: Delivery): void {
    this.#drop(subscription, delivery, this.#parts.notes.expired(), 'expired');
  }

  /**
   * The end of a delivery that will not be tried again: a dead letter, settled once it is on the disk.
   *
   * @param errorId of the report that says so, if it was written already
   */
  giveUp(
    subscription: LiveSubscription,
    delivery: Delivery,
    failure: Failure,
    reason: DeadLetterReason,
    errorId?: string,
  ): void {
    const { logging, remote, notes, replies, replays, reporter, onDeadLetter } = this.#parts;
    // What this process does not settle, another one will.
    if (reason === 'shutdown' && remote?.release(subscription, delivery)) return;
    if (logging === null) {
      this.#drop(subscription, delivery, failure, reason);
      return;
    }
    const id = errorId ?? reporter.failed(subscription, delivery, failure, `dead letter: ${reason}`);
    const letter = notes.letter(subscription, delivery, failure, reason, id);
    // A process that ends before it has let go of the message leaves a letter, and the next one would write it again.
    const header = remote === null ? letter : withStableId(letter);
    subscription.trails.end(delivery.number);
    subscription.release(delivery.number);
    const isReplay = replays.has(delivery.number);
    // A replayed letter whose handler succeeded is handled, also when its reply could not be encoded.
    if (failure.phase === 'reply') replays.handled(delivery.number);
    else if (isReplay) replays.failed(delivery.number, header);
    replies.reject(delivery.number, reason, failure.error, subscription);
    if (isReplay) {
      // Its letter is in the queue already.
      subscription.deadLettered++;
      this.#parts.onSettled(subscription, delivery, 'deadLettered', reason);
      return;
    }
    subscription.settling++;
    const onStored = (): void => {
      subscription.settling--;
      subscription.deadLettered++;
      this.#parts.onSettled(subscription, delivery, 'deadLettered', reason);
      onDeadLetter(subscription, delivery, reason);
    };
    const { letters } = remote?.transport ?? {};
    if (letters === undefined) logging.letter(header, delivery.bytes, onStored);
    else letters.letter(header, delivery.bytes, onStored, remote?.isHolding(delivery.number) === true);
  }

  /** The queue was full, and this delivery gave way, or was refused. */
  overflow(subscription: LiveSubscription, delivery: Delivery): void {
    const { notes } = this.#parts;
    const { overflow = 'dead-letter' } = subscription.options;
    const isKept = overflow === 'dead-letter';
    if (isKept) this.giveUp(subscription, delivery, notes.overflow(subscription, delivery), 'overflow');
    else this.#drop(subscription, delivery, notes.overflowByPolicy(subscription), 'overflow');
  }

  /** A delivery was admitted whose time has not come yet. It must own its bytes. */
  deliverLater(subscription: LiveSubscription, delivery: Delivery, delayMs: number): void {
    subscription.startsWaiting(delivery);
    this.#parts.retries.add({ subscription, delivery }, delayMs);
  }

  /** Something failed that is no delivery's fault, or whose delivery is settled. */
  report(report: ErrorReport): void {
    this.#parts.reporter.log(report);
  }

  #fail(subscription: LiveSubscription, delivery: Delivery, failure: Failure): void {
    delivery.started++;
    delivery.failed++;
    if (failure.category === ErrorCategory.TIMEOUT_ERROR)
      delivery.timeouts = Math.min(MOST_TIMEOUTS, delivery.timeouts + 1);
    const { logging, recoverer } = this.#parts;
    if (logging === null) {
      this.#drop(subscription, delivery, failure, 'failed');
      return;
    }
    this.#note(subscription, delivery, failure);
    if (!recoverer.hasToAct(subscription, failure)) {
      this.#carryOut(subscription, delivery, failure, recoverer.decide(subscription, delivery, failure));
      return;
    }
    subscription.settling++;
    const end = (verdict: Verdict, report?: ErrorReport): void => {
      subscription.settling--;
      this.#carryOut(subscription, delivery, failure, verdict, report);
    };
    recoverer.recover(subscription, delivery, failure).then(
      ({ verdict, report }) => end(verdict, report),
      (thrown) => {
        this.report(this.#parts.notes.incident('recovery', thrown, 'handler'));
        end({ kind: 'dead-letter', reason: 'not_retryable' });
      },
    );
  }

  /** @param seen the report, if a strategy was shown it */
  #carryOut(
    subscription: LiveSubscription,
    delivery: Delivery,
    failure: Failure,
    verdict: Verdict,
    seen?: ErrorReport,
  ): void {
    if (verdict.kind !== 'retry' && verdict.reason === 'retries_exhausted') {
      if (subscription.options.whenExhausted === 'discard') {
        this.#drop(subscription, delivery, failure, 'retries_exhausted', seen);
        return;
      }
    }
    const isRetried = verdict.kind === 'retry';
    const words = isRetried ? 'retry' : `dead letter: ${verdict.reason}`;
    const errorId = this.#reportFailed(subscription, delivery, failure, words, isRetried, seen);
    if (!isRetried) {
      this.giveUp(subscription, delivery, failure, verdict.reason, errorId);
      return;
    }
    const { budget, clock, routed } = this.#parts;
    this.#retry(subscription, delivery, verdict.delayMs + budget.take(routed(), clock.elapsed()));
  }

  #reportFailed(
    subscription: LiveSubscription,
    delivery: Delivery,
    failure: Failure,
    words: string,
    isRetried: boolean,
    seen: ErrorReport | undefined,
  ): string {
    const { reporter } = this.#parts;
    if (seen !== undefined) return reporter.conclude(seen, words, isRetried);
    return reporter.failed(subscription, delivery, failure, words, isRetried);
  }

  #retry(subscription: LiveSubscription, delivery: Delivery, delayMs: number): void {
    if (subscription.isClosed) {
      this.giveUp(subscription, delivery, this.#parts.notes.shutdown(delivery), 'shutdown');
      return;
    }
    if (delayMs <= 0) {
      subscription.requeue(delivery);
      return;
    }
    this.deliverLater(subscription, delivery, delayMs);
  }

  #drop(
    subscription: LiveSubscription,
    delivery: Delivery,
    failure: Failure,
    why: DeadLetterReason | 'discarded' | 'failed',
    seen?: ErrorReport,
  ): void {
    const errorId = this.#reportFailed(subscription, delivery, failure, `drop: ${why}`, false, seen);
    const { replies, replays, notes } = this.#parts;
    // Only its handler can discard a letter that is replayed; what is dropped for any other reason stays a letter.
    if (why === 'discarded') replays.handled(delivery.number);
    else if (why !== 'failed' && replays.has(delivery.number))
      replays.failed(delivery.number, notes.letter(subscription, delivery, failure, why, errorId));
    subscription.trails.end(delivery.number);
    subscription.release(delivery.number);
    subscription.dropped++;
    this.#parts.onSettled(subscription, delivery, 'dropped', why);
    replies.reject(delivery.number, why, failure.error, subscription);
  }

  #note(subscription: LiveSubscription, delivery: Delivery, failure: Failure): void {
    const { clock } = this.#parts;
    subscription.trails.add(delivery, failure, clock.now() / 1000, clock.elapsed());
  }
}
