// Who is to blame when a lane's thread has ended.
import type { Suspect } from './lane-ring.js';
import type { Patience } from './patience.js';
import type { ThreadEnd } from './pool.js';

/** Belongs to one lane. Decides; has no effects. Times as `Clock.elapsed()`, in milliseconds. */
export class Blame {
  readonly patience: Patience;
  /** Of these one ended the thread while several ran: they run one at a time until all have passed. */
  #suspects: readonly Suspect[] = [];

  constructor(patience: Patience) {
    this.patience = patience;
  }

  /** True: handlers have to run one at a time. */
  get hasSuspects(): boolean {
    return this.#suspects.length > 0;
  }

  isOverdue({ startedAt, timeouts }: Suspect, elapsed: number): boolean {
    return this.patience.isOver(elapsed - startedAt, timeouts);
  }

  /** True once, when all suspects have passed. */
  isResolved(): boolean {
    if (!this.hasSuspects || !this.#suspects.every(({ ring, sequence }) => ring.hasPassed(sequence))) return false;
    this.#suspects = [];
    return true;
  }

  /**
   * One attempt in flight is the culprit. Of several, any may have blocked or ended the thread, and those past their
   * deadline may have been kept from ending by another: they run again one at a time, and then it shows.
   *
   * @param killedAt when the thread was ended for a deadline
   */
  culprits(end: ThreadEnd, suspects: readonly Suspect[], killedAt: number): readonly Suspect[] {
    if (suspects.length === 1) {
      return end === 'killed' ? suspects.filter((suspect) => this.isOverdue(suspect, killedAt)) : suspects;
    }
    this.#suspects = suspects;
    return [];
  }
}
