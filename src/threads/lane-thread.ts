// The thread that a lane's drain runs on, as main sees it: whether it lives, and how it is ended.
import type { SharedBreaker } from '../shared/breaker.js';
import { systemClock, type Timer } from '../shared/clock.js';
import type { Blame, Ending } from './blame.js';
import { type Findings, holdInquest } from './inquest.js';
import type { LaneOptions } from './lane-contract.js';
import type { Suspect } from './lane-ring.js';
import type { LaneRings } from './lane-rings.js';
import type { LaneSignals } from './lane-signals.js';
import { DEAF, EXITED, STUCK, type ThreadEnd } from './pool.js';
import { Pulse } from './pulse.js';
import { Reprieve } from './reprieve.js';

/** A drain that has nothing in flight leaves within this time when asked, in milliseconds, or is ended. */
const LEAVE_MS = 200;
/** A loop that has not turned for so long while several handlers are under way is blocked by one of them, in milliseconds. */
const BLOCKED_MS = 250;
/** While a thread is to end soon, it is looked at this often, in milliseconds, also where time is stepped. */
const LOOK_AGAIN_MS = 20;
/** Stands for the beat of a drain that no thread has taken. */
const NOT_TAKEN = -1;

/** Belongs to one lane. Runs on the main thread. */
export class LaneThread {
  readonly #rings: LaneRings;
  readonly #signals: LaneSignals;
  readonly #blame: Blame;
  /** Of a loop on which nothing runs, and of one on which several handlers do. */
  readonly #pulse = new Pulse();
  readonly #busyPulse = new Pulse();
  readonly #reprieve: Reprieve;
  readonly #graceMs: number;
  readonly #isConcurrent: boolean;
  readonly #setupTimeoutMs: number;
  readonly #lookAgain: () => void;
  #takeMs = 0;
  #kill = new AbortController();
  /** Null: it was not ended for a deadline. */
  ending: Ending | null = null;
  /** `Clock.elapsed()` when it was first to end for a deadline; null: it is not. */
  #dueSince: number | null = null;
  #nextLook: Timer | undefined;

  /** @param lookAgain calls {@link check}, if the drain runs still */
  constructor(
    rings: LaneRings,
    signals: LaneSignals,
    blame: Blame,
    { graceMs, shape, handler }: LaneOptions,
    lookAgain: () => void,
  ) {
    this.#rings = rings;
    this.#signals = signals;
    this.#blame = blame;
    this.#graceMs = graceMs;
    this.#isConcurrent = shape.concurrency > 1;
    this.#setupTimeoutMs = handler.setupTimeoutMs;
    this.#lookAgain = lookAgain;
    this.#reprieve = new Reprieve(graceMs);
  }

  /**
   * For the next drain. Aborting it ends the thread.
   *
   * @param takeMs in which a thread takes its task, in milliseconds
   */
  begin(elapsed: number, takeMs: number): AbortSignal {
    this.#takeMs = takeMs;
    this.#kill = new AbortController();
    this.ending = null;
    this.#dueSince = null;
    this.#pulse.reset();
    this.#busyPulse.reset();
    this.#reprieve.reset(elapsed);
    return this.#kill.signal;
  }

  /** Once it is gone: who is to blame? */
  holdInquest(end: ThreadEnd, breaker: SharedBreaker | undefined, now: number): Findings {
    const death = { end, ending: this.ending, by: this.#signals.exitedBy };
    return holdInquest(this.#rings, this.#blame, death, breaker, now);
  }

  /** True: it has told its end, and nobody has taken notice yet. */
  get hasExited(): boolean {
    return !this.#kill.signal.aborted && this.#signals.hasExited;
  }

  /** Takes notice of an end that the thread has told. */
  bury(): void {
    this.#kill.abort(EXITED);
  }

  /** Ends the thread if a handler ran past its deadline and the grace, or if nothing on it can run any more. */
  check(elapsed: number): void {
    if (this.#kill.signal.aborted) return;
    const started = this.#rings.started();
    const overdue = started.filter((attempt) => this.#blame.isOverdue(attempt, elapsed));
    const isSpared = this.#reprieve.spares(overdue, elapsed);
    const stoodMs = this.#busyPulse.look(this.#signals.beat, started.length > 0, systemClock.elapsed());
    if (overdue.length > 0) {
      if (isSpared) return;
      const isTurning = this.#isConcurrent && stoodMs <= BLOCKED_MS;
      if (isTurning && started.length > 1 && this.#isAwaited(started, overdue, elapsed)) return;
      this.ending = { at: elapsed, isTurning };
      this.#kill.abort();
    } else if (this.#standsStill(started.length > 0)) {
      this.#kill.abort(this.#signals.isTaken ? STUCK : DEAF);
    }
  }

  /**
   * True: others beside the overdue ones may come to their ends, and nothing new begins meanwhile. Within the grace they
   * may all; after it, they run again for free, but for those that have before: they would never come to an end.
   */
  #isAwaited(started: readonly Suspect[], overdue: readonly Suspect[], elapsed: number): boolean {
    const isNew = this.#dueSince === null;
    this.#dueSince ??= elapsed;
    if (isNew) this.#signals.askToLeave();
    const isGraceOver = elapsed - this.#dueSince > this.#graceMs;
    const areOthersAwaited = started.some((one) => !overdue.includes(one) && (one.runsAgain || !isGraceOver));
    // Its loop has turned since the last look, and so after their deadlines: nobody has kept them from ending.
    if (!isNew && !areOthersAwaited && this.#busyPulse.hasTurned) return false;
    this.#nextLook ??= systemClock.after(LOOK_AGAIN_MS, () => {
      this.#nextLook = undefined;
      this.#lookAgain();
    });
    return true;
  }

  /** A handler that runs has its deadline. Without one, work that lies there or a thread that is asked for wakes the drain. */
  #standsStill(isRunning: boolean): boolean {
    const isExpected = !isRunning && (this.#rings.unsettled > 0 || this.#signals.isAsked);
    const { beat, isTaken, hasBegun } = this.#signals;
    const stoodMs = this.#pulse.look(isTaken ? beat : NOT_TAKEN, isExpected, systemClock.elapsed());
    if (!isTaken) return stoodMs > this.#takeMs;
    return hasBegun ? this.#blame.patience.isOver(stoodMs, 0) : stoodMs > this.#setupTimeoutMs;
  }

  /** An idle drain leaves when asked; one whose handler runs has to be ended. Not to be awaited: its task tells. */
  end(): { cancel(): void } {
    const delayMs = this.#rings.started().length > 0 ? 0 : LEAVE_MS;
    return systemClock.after(delayMs, () => this.#kill.abort(), true);
  }
}
