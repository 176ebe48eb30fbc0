// The thread that a lane's drain runs on, as main sees it: whether it lives, and how it is ended.
import { systemClock } from '../shared/clock.js';
import type { Blame } from './blame.js';
import type { LaneRings } from './lane-rings.js';
import type { LaneSignals } from './lane-signals.js';
import { EXITED, STUCK } from './pool.js';
import { Pulse } from './pulse.js';
import { Reprieve } from './reprieve.js';

/** A drain that has nothing in flight leaves within this time when asked, in milliseconds, or is ended. */
const LEAVE_MS = 200;
/** A handler's module that is not loaded after this time is not going to be, in milliseconds. */
export const LOAD_TIMEOUT_MS = 30_000;

/** Belongs to one lane. Runs on the main thread. */
export class LaneThread {
  readonly #rings: LaneRings;
  readonly #signals: LaneSignals;
  readonly #blame: Blame;
  readonly #pulse = new Pulse();
  readonly #reprieve: Reprieve;
  #kill = new AbortController();
  /** `Clock.elapsed()` when it was ended for a deadline; 0: it was not. */
  killedAt = 0;

  /** @param graceMs from the deadline to the end of the thread */
  constructor(rings: LaneRings, signals: LaneSignals, blame: Blame, graceMs: number) {
    this.#rings = rings;
    this.#signals = signals;
    this.#blame = blame;
    this.#reprieve = new Reprieve(graceMs);
  }

  /** For the next drain. Aborting it ends the thread. */
  begin(elapsed: number): AbortSignal {
    this.#kill = new AbortController();
    this.#pulse.reset();
    this.#reprieve.reset(elapsed);
    return this.#kill.signal;
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
    if (overdue.length > 0) {
      if (isSpared) return;
      this.killedAt = elapsed;
      this.#kill.abort();
    } else if (this.#standsStill(started.length > 0)) {
      this.#kill.abort(STUCK);
    }
  }

  /** A handler that runs has its deadline. Without one, work that lies there or a thread that is asked for wakes the drain. */
  #standsStill(isRunning: boolean): boolean {
    const isExpected = !isRunning && (this.#rings.unsettled > 0 || this.#signals.isAsked);
    const { beat } = this.#signals;
    const stoodMs = this.#pulse.look(beat, isExpected, systemClock.elapsed());
    return beat === 0 ? stoodMs > LOAD_TIMEOUT_MS : this.#blame.patience.isOver(stoodMs, 0);
  }

  /** An idle drain leaves when asked; one whose handler runs has to be ended. Not to be awaited: its task tells. */
  end(): { cancel(): void } {
    const delayMs = this.#rings.started().length > 0 ? 0 : LEAVE_MS;
    return systemClock.after(delayMs, () => this.#kill.abort(), true);
  }
}
