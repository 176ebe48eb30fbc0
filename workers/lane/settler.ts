// The worker's half of settling: tells main what an attempt came to, and the breaker, and releases the record.
import { countFailure, countNothing, countSuccess } from '../../src/shared/attempt.js';
import type { SharedBreaker } from '../../src/shared/breaker.js';
import type { Clock } from '../../src/shared/clock.js';
import { encodePayload } from '../../src/shared/codec.js';
import type { HeldPublication } from '../../src/shared/context.js';
import { DELIVERY_HEADER_BYTES } from '../../src/shared/delivery.js';
import { FailureDescriber } from '../../src/shared/describe.js';
import type { Doorbell } from '../../src/shared/doorbell.js';
import { FamiliarFailures, type Kind } from '../../src/shared/familiar.js';
import { type HandlerOptions, type HandlerVerdict, isVerdict } from '../../src/shared/handler.js';
import type { DrainTask } from '../../src/shared/lane-task.js';
import { LENGTH, RECORD_HEADER_BYTES } from '../../src/shared/layout.js';
import { asksMain, type LaneOrder } from '../../src/shared/order.js';
import { type Failure, Outcome, type RecordAddress } from '../../src/shared/outcome.js';
import { type ReconnectHook, Reconnector } from '../../src/shared/reconnector.js';
import { isSimple } from '../../src/shared/reply.js';
import { ErrorCategory, type ErrorPhase, ErrorSeverity } from '../../src/shared/report.js';
import { NOWHERE, type Outbox, type PendingOutcome } from './outbox.js';
import type { RingAttempt } from './place.js';

const NONE: readonly PendingOutcome[] = [];

/**
 * The handler has ended in time. To describe its failure may take longer than a short deadline, the first time on a busy
 * machine; but if its error hangs when it is looked at, its thread is ended so much later, in milliseconds.
 */
const MOST_TO_DESCRIBE_MS = 2000;

/** One for each hook on this thread, whatever drains come and go. */
const reconnectors = new WeakMap<ReconnectHook<unknown>, Reconnector<unknown>>();

function reconnectorOf(hook: ReconnectHook<unknown>, clock: Clock): Reconnector<unknown> {
  let reconnector = reconnectors.get(hook);
  if (reconnector === undefined) {
    reconnector = new Reconnector(hook, clock);
    reconnectors.set(hook, reconnector);
  }
  return reconnector;
}

/** Ends the attempts of one drain. */
export class Settler {
  readonly #describer: FailureDescriber;
  readonly #familiar: FamiliarFailures;
  /** Null: the handler's module has no reconnect hook. */
  readonly #reconnector: Reconnector<unknown> | null;
  readonly #outbox: Outbox;
  readonly #breaker: SharedBreaker | null;
  readonly #mainBell: Doorbell;
  readonly #order: LaneOrder | null;
  readonly #onLate: (attempt: RingAttempt) => void;
  readonly #onDone: (attempt: RingAttempt) => void;
  readonly #tellsSuccess: boolean;
  readonly #tellsHandled: boolean;

  /** @param onLate its function has not settled, and may never */
  constructor(
    task: DrainTask,
    { rules, reconnect }: HandlerOptions,
    outbox: Outbox,
    breaker: SharedBreaker | null,
    mainBell: Doorbell,
    onLate: (attempt: RingAttempt) => void,
    onDone: (attempt: RingAttempt) => void,
  ) {
    this.#describer = new FailureDescriber(outbox.redactor, rules, task.describeErrors);
    this.#familiar = new FamiliarFailures((rules ?? []).some(({ when }) => when?.message !== undefined));
    this.#reconnector = reconnect === undefined ? null : reconnectorOf(reconnect, outbox.clock);
    this.#outbox = outbox;
    this.#breaker = breaker;
    this.#mainBell = mainBell;
    this.#order = task.order;
    this.#onLate = onLate;
    this.#onDone = onDone;
    this.#tellsSuccess = task.testing !== null;
    this.#tellsHandled = task.tellsHandled;
  }

  /** The handler returned `value`. A reply that cannot be encoded fails the attempt. */
  succeed(attempt: RingAttempt, value: unknown): void {
    if (attempt.hasEnded) return;
    if (attempt.lateThrow !== null) {
      this.fail(attempt, undefined);
      return;
    }
    let outcomes: readonly PendingOutcome[];
    try {
      outcomes = this.#isTold(attempt, value) ? NONE : this.#newsOf(attempt, value);
    } catch (thrown) {
      this.fail(attempt, thrown, 'reply');
      return;
    }
    countSuccess(attempt, this.#breaker);
    this.#end(attempt, outcomes, true);
  }

  /** The handler threw, rejected, or never got its payload. */
  fail(attempt: RingAttempt, thrown: unknown, phase: ErrorPhase = attempt.phase): void {
    if (attempt.hasEnded) return;
    attempt.place.begin(attempt, attempt.startedAt + MOST_TO_DESCRIBE_MS);
    if (attempt.lateThrow === null) this.#fail(attempt, thrown, phase);
    else this.#fail(attempt, attempt.lateThrow.thrown, 'late');
  }

  #fail(attempt: RingAttempt, thrown: unknown, phase: ErrorPhase): void {
    if (isVerdict(thrown)) {
      countNothing(attempt, this.#breaker);
      const verdict = this.#verdictOf(attempt, thrown, phase);
      attempt.asksMain = this.#asks(verdict.kind);
      this.#end(attempt, [this.#handedBack(attempt, verdict)], false);
      return;
    }
    attempt.asksMain = this.#asks(Outcome.FAILED);
    const kind = this.#familiar.recognize(thrown, phase, attempt.startedAt);
    if (kind?.isFamiliar && !this.#canReconnect(kind.category) && this.#failAgain(attempt, kind)) return;
    const failure = this.#describer.describe(thrown, phase, attempt.payload);
    countFailure(attempt, this.#breaker, failure.category);
    if (kind !== undefined) Object.assign(kind, { category: failure.category, described: kind.message });
    const detail = kind === undefined ? failure : { ...failure, slot: kind.slot };
    if (this.#canReconnect(failure.category)) void this.#failReconnected(attempt, thrown, failure);
    else this.#end(attempt, [this.#handedBack(attempt, { kind: Outcome.FAILED, detail })], false);
  }

  #canReconnect(category: ErrorCategory): boolean {
    return category === ErrorCategory.CONNECTION_ERROR && this.#reconnector !== null;
  }

  /** The attempt stays in flight meanwhile: the hook has a deadline as long as its own. */
  async #failReconnected(attempt: RingAttempt, thrown: unknown, failure: Failure): Promise<void> {
    attempt.hasEnded = true;
    attempt.place.leaveBreaker(attempt);
    attempt.place.begin(attempt, this.#outbox.clock.elapsed());
    const reconnection = await this.#reconnector?.run(thrown);
    const { isBack = false, trouble } = reconnection ?? {};
    const error = trouble === undefined ? {} : { recovery_error: this.#describer.redacted(trouble) };
    const detail = { ...failure, reconnected: isBack, ...error };
    this.#end(attempt, [this.#handedBack(attempt, { kind: Outcome.FAILED, detail })], false);
  }

  /** An error that nobody awaited: fails the attempt it belongs to as soon as its function has settled, unless it has. */
  failLate(thrown: unknown, attempt: RingAttempt | undefined): void {
    if (attempt !== undefined && !attempt.hasEnded && attempt.lateThrow === null) {
      attempt.lateThrow = { thrown };
      attempt.context.cancel(thrown);
      this.#onLate(attempt);
      return;
    }
    const failure = this.#describer.describe(thrown, 'late', undefined);
    const detail = { failure, id: attempt?.context.id ?? null, topic: attempt?.delivery.topic ?? null };
    this.#write(NOWHERE, [{ kind: Outcome.THREW_LATE, detail }], () => undefined);
  }

  /** An attempt failed by a late throw whose function does not settle. Main takes it when this thread is gone. */
  abandon(attempt: RingAttempt): void {
    const failure = this.#describer.describe(attempt.lateThrow?.thrown, 'late', attempt.payload);
    attempt.asksMain = this.#asks(Outcome.FAILED);
    countFailure(attempt, this.#breaker, failure.category);
    this.#end(attempt, [this.#handedBack(attempt, { kind: Outcome.ABANDONED, detail: failure })], false);
  }

  /** The message outlived its time before a handler started. */
  expire(attempt: RingAttempt): void {
    countNothing(attempt, this.#breaker);
    this.#handBackUnstarted(attempt, Outcome.EXPIRED);
  }

  /** The breaker is open, and this subscription does not wait for it. */
  refuse(attempt: RingAttempt): void {
    this.#handBackUnstarted(attempt, Outcome.REFUSED);
  }

  /** It has to wait on main. */
  bounce(attempt: RingAttempt): void {
    countNothing(attempt, this.#breaker);
    this.#handBackUnstarted(attempt, Outcome.BOUNCED);
  }

  /** A record that was settled before its reader's thread died. */
  skip(attempt: RingAttempt): void {
    countNothing(attempt, this.#breaker);
    attempt.hasEnded = true;
    attempt.place.finish(attempt, false);
    this.#onDone(attempt);
  }

  #asks(kind: number): boolean {
    return this.#order !== null && asksMain(this.#order, kind);
  }

  #handBackUnstarted(
    attempt: RingAttempt,
    kind: typeof Outcome.EXPIRED | typeof Outcome.REFUSED | typeof Outcome.BOUNCED,
  ): void {
    this.#end(attempt, [this.#handedBack(attempt, { kind, detail: null })], false);
  }

  /** True once main has heard all that it has to hear: of the usual success that is one record, or none. */
  #isTold({ delivery, context }: RingAttempt, value: unknown): boolean {
    if (delivery.started > 0 || context.publications !== undefined || this.#tellsSuccess) return false;
    if (!delivery.wantsReply) return !this.#tellsHandled || this.#outbox.handled(delivery.number);
    if (this.#tellsHandled) return false;
    if (isSimple(value)) return this.#outbox.replySimply(delivery.number, value);
    const { codec, bytes } = encodePayload(value);
    this.#outbox.assertFits(bytes.length);
    return this.#outbox.reply(delivery.number, codec, bytes);
  }

  /** What main has to hear about a success. */
  #newsOf(attempt: RingAttempt, value: unknown): readonly PendingOutcome[] {
    const { delivery, context } = attempt;
    const news = (context.publications ?? []).flatMap((publication) => this.#published(publication));
    if (this.#tellsSuccess) {
      news.push({ kind: Outcome.SUCCEEDED, detail: { id: context.id, topic: delivery.topic } });
    }
    if (delivery.wantsReply) {
      const { codec, bytes: encoded } = encodePayload(value);
      this.#outbox.assertFits(encoded.length);
      const { bytes, parts } = this.#outbox.payloadOf(encoded, null);
      news.push(...parts, { kind: Outcome.REPLIED, number: delivery.number, codec, bytes });
    }
    const told: PendingOutcome[] = this.#tellsHandled ? [{ kind: Outcome.HANDLED, number: delivery.number }] : [];
    return [...news, ...told, ...this.#recovery(attempt)];
  }

  #published({ detail, bytes: whole }: HeldPublication): readonly PendingOutcome[] {
    const { bytes, parts } = this.#outbox.payloadOf(whole, detail);
    if (bytes !== null) return [{ kind: Outcome.PUBLISHED, detail, bytes }];
    return [...parts, { kind: Outcome.PUBLISHED, detail: { ...detail, isApart: true } }];
  }

  /** The last that main hears of it, which then takes it for settled. Also after an attempt that did not count: others may wait. */
  #recovery({ delivery: { started, number } }: RingAttempt): readonly PendingOutcome[] {
    return started === 0 ? NONE : [{ kind: Outcome.RECOVERED, detail: { number } }];
  }

  /** The same was described in full again and again just now. False: there is no room in the outbox. */
  #failAgain(attempt: RingAttempt, { slot, message, described, category }: Kind): boolean {
    const { place, word, address } = attempt;
    const again = { slot, message: message === described ? null : this.#describer.redacted(message) };
    if (!this.#outbox.failAgain(address, again, place.reader, word)) return false;
    countFailure(attempt, this.#breaker, category);
    attempt.hasEnded = true;
    attempt.context.close();
    this.#finish(attempt, false);
    return true;
  }

  #verdictOf(
    attempt: RingAttempt,
    verdict: HandlerVerdict,
    phase: ErrorPhase,
  ): Exclude<PendingOutcome, { number: number }> {
    if (verdict.kind === 'retry-later') return { kind: Outcome.RETRY_LATER, detail: { delayMs: verdict.delayMs } };
    const failure = this.#describer.describe(verdict, phase, attempt.payload);
    if (verdict.kind === 'dead-letter') return { kind: Outcome.DEAD_LETTERED, detail: failure };
    return { kind: Outcome.DISCARDED, detail: { ...failure, severity: ErrorSeverity.LOW } };
  }

  /** With it goes a copy of the record: from here on the delivery is main's. */
  #handedBack(attempt: RingAttempt, outcome: Exclude<PendingOutcome, { number: number }>): PendingOutcome {
    const { reader } = attempt.place;
    const start = (attempt.word << 2) + RECORD_HEADER_BYTES;
    const end = (attempt.word << 2) + (reader.words[attempt.word + LENGTH] as number);
    return { ...outcome, bytes: reader.bytes.subarray(start, Math.max(end, start + DELIVERY_HEADER_BYTES)) };
  }

  #end(attempt: RingAttempt, outcomes: readonly PendingOutcome[], succeeded: boolean): void {
    this.#close(attempt);
    if (outcomes.length === 0) {
      this.#finish(attempt, succeeded);
      return;
    }
    this.#write(attempt.address, outcomes, () => this.#finish(attempt, succeeded), attempt);
  }

  #close(attempt: RingAttempt): void {
    attempt.hasEnded = true;
    attempt.context.close();
  }

  #finish(attempt: RingAttempt, succeeded: boolean): void {
    attempt.place.finish(attempt, succeeded);
    if (attempt.place.reader.mayHaveWantedRoom) this.#mainBell.ring();
    this.#onDone(attempt);
  }

  #write(address: RecordAddress, outcomes: readonly PendingOutcome[], done: () => void, attempt?: RingAttempt): void {
    const written = this.#outbox.writeAll(address, outcomes);
    if (written === outcomes.length) {
      done();
      return;
    }
    attempt?.place.suspend(attempt);
    void this.#outbox.writeAllSoon(address, outcomes, written).then(done);
  }
}
