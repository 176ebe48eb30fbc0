// Who is to blame when a lane's thread has ended.
import type { Suspect } from './lane-ring.js';
import type { Patience } from './patience.js';
import type { ThreadEnd } from './pool.js';

/** What becomes of the attempts that were under way. */
export interface Judgement {
  /** They have ended the thread. */
  readonly culprits: readonly Suspect[];
  /** One of them has. They run again one at a time, and then it shows. */
  readonly suspected: readonly Suspect[];
  /** They run again where they are, for free. */
  readonly innocent: readonly Suspect[];
}

const NOBODY: Judgement = { culprits: [], suspected: [], innocent: [] };

/** Belongs to one lane. Decides; has no effects. Times as `Clock.elapsed()`, in milliseconds. */
export class Blame {
  readonly patience: Patience;

  constructor(patience: Patience) {
    this.patience = patience;
  }

  isOverdue({ startedAt, timeouts }: Suspect, elapsed: number): boolean {
    return this.patience.isOver(elapsed - startedAt, timeouts);
  }

  /**
   * One attempt in flight is the culprit. Of several, any may have blocked or ended the thread, and those past their
   * deadline may have been kept from ending by another.
   *
   * @param killedAt when the thread was ended for a deadline
   */
  judge(end: ThreadEnd, suspects: readonly Suspect[], killedAt: number): Judgement {
    // Ended by main for no deadline.
    if (end === 'stuck' || (end === 'killed' && killedAt === 0)) return { ...NOBODY, innocent: suspects };
    if (suspects.length > 1) return { ...NOBODY, suspected: suspects };
    const isGuilty = end !== 'killed' || suspects.some((suspect) => this.isOverdue(suspect, killedAt));
    return isGuilty ? { ...NOBODY, culprits: suspects } : { ...NOBODY, innocent: suspects };
  }
}
