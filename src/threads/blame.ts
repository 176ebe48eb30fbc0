// Who is to blame when a lane's thread has ended.
import type { KillCause } from './lane-contract.js';
import type { Suspect } from './lane-ring.js';
import type { Patience } from './patience.js';
import type { ThreadEnd } from './pool.js';

/** How main came to end a thread for a deadline. */
export interface Ending {
  /** `Clock.elapsed()`. */
  readonly at: number;
  /** Its event loop turned until then: nobody blocked it, and those in time had nothing to do with those that were not. */
  readonly isTurning: boolean;
}

/** What becomes of the attempts that were under way. */
export interface Judgement {
  /** They have ended the thread. */
  readonly culprits: readonly Suspect[];
  /** How. */
  readonly cause: KillCause;
  /** One of them has. They run again one at a time, and then it shows. */
  readonly suspected: readonly Suspect[];
  /** They run again where they are, for free. */
  readonly innocent: readonly Suspect[];
}

const NOBODY: Judgement = { culprits: [], cause: 'deadline', suspected: [], innocent: [] };

/** Belongs to one lane. Decides; has no effects. Times as `Clock.elapsed()`, in milliseconds. */
export class Blame {
  readonly patience: Patience;
  readonly #isQuarantine: boolean;

  /** @param isQuarantine its lane runs one at a time what has ended a thread, or may have */
  constructor(patience: Patience, isQuarantine = false) {
    this.patience = patience;
    this.#isQuarantine = isQuarantine;
  }

  isOverdue({ startedAt, timeouts }: Suspect, elapsed: number): boolean {
    return this.patience.isOver(elapsed - startedAt, timeouts);
  }

  /**
   * One attempt in flight is the culprit, unless its thread was ended by what another has left behind. Of several, those past
   * their deadline are, where nothing blocked their thread; else any may have blocked it, or kept those past their deadline from
   * ending. Nor is one of several charged for an exit, though named: what several share (a pool of connections) may call back in
   * the context of another. It has to do it alone.
   *
   * @param ending null: main has ended the thread for no deadline, or not at all
   * @param named those of them, if any, whose code has ended the thread; null: not known
   */
  judge(
    end: ThreadEnd,
    suspects: readonly Suspect[],
    ending: Ending | null,
    named: readonly Suspect[] | null,
  ): Judgement {
    if (end === 'stuck' || end === 'deaf' || end === 'none') return { ...NOBODY, innocent: suspects };
    if (end !== 'killed') {
      const [first, ...beside] = suspects;
      const isAlone = first !== undefined && beside.length === 0;
      if (isAlone && this.#isCharged(first, named)) return { ...NOBODY, culprits: suspects, cause: end };
      // Who is there twice, is looked at: it may have done it in the context of another, which may be over.
      const isSuspected = (one: Suspect): boolean => one.runsAgain || named === null || named.includes(one);
      const innocent = suspects.filter((one) => !isSuspected(one));
      return { ...NOBODY, suspected: suspects.filter(isSuspected), innocent };
    }
    if (ending === null) return { ...NOBODY, innocent: suspects };
    if (suspects.length > 1 && !ending.isTurning) return { ...NOBODY, suspected: suspects };
    const isGuilty = (suspect: Suspect): boolean => this.isOverdue(suspect, ending.at);
    const innocent = suspects.filter((suspect) => !isGuilty(suspect));
    const cause = ending.isTurning ? 'never-settled' : 'deadline';
    return { ...NOBODY, culprits: suspects.filter(isGuilty), cause, innocent };
  }

  /** It was alone. In quarantine, where it is for such an end, it is not said once more that another has left something behind. */
  #isCharged(only: Suspect, named: readonly Suspect[] | null): boolean {
    return named === null || named.includes(only) || (this.#isQuarantine && only.runsAgain);
  }
}
