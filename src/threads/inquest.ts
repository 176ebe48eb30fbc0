// What is found in the rings of a lane whose thread is gone: who is to blame is taken out, the others may run again.
import type { SharedBreaker } from '../shared/breaker.js';
import type { Delivery } from '../shared/delivery.js';
import type { Blame, Ending } from './blame.js';
import type { KillCause } from './lane-contract.js';
import type { Suspect } from './lane-ring.js';
import type { LaneRings } from './lane-rings.js';
import type { ThreadEnd } from './pool.js';

/** Times in milliseconds. */
export interface Findings {
  /** They have ended the thread: how long their handlers ran, and might have. */
  readonly killed: readonly { readonly delivery: Delivery; readonly ranMs: number; readonly timeoutMs: number }[];
  readonly cause: KillCause;
  /** One of them has. */
  readonly suspected: readonly Delivery[];
  /** False: it is a death that no delivery is to blame for. */
  readonly isExplained: boolean;
}

/** What is known of the end of a thread. */
export interface Death {
  readonly end: ThreadEnd;
  /** Null: it was not ended for a deadline. */
  readonly ending: Ending | null;
  /** The record whose handler has ended it, or one that is in no ring any more; null: not known. */
  readonly by: { readonly place: number; readonly sequence: number } | null;
}

/**
 * Mends the rings as well.
 *
 * @param now `Clock.elapsed()`
 */
export function holdInquest(
  rings: LaneRings,
  blame: Blame,
  { end, ending, by }: Death,
  breaker: SharedBreaker | undefined,
  now: number,
): Findings {
  const suspects = rings.repair();
  const isNamed = ({ ring, sequence }: Suspect): boolean =>
    ring === rings.rings[by?.place ?? -1] && sequence === by?.sequence;
  const named = by === null ? null : suspects.filter(isNamed);
  const { culprits, cause, suspected, innocent } = blame.judge(end, suspects, ending, named);
  for (const one of innocent) one.ring.absolve(one);
  // An innocent may hold a probe, whose place would otherwise be taken for lost only after a minute.
  for (let probes = rings.takeProbes(culprits); probes > 0; probes--) breaker?.releaseProbe();
  const killed = culprits.map((culprit) => {
    const delivery = rings.take(culprit);
    const ranMs = Math.max(0, now - culprit.startedAt);
    return { delivery, ranMs, timeoutMs: blame.patience.timeoutMs(delivery.timeouts) };
  });
  const caught = suspected.map((suspect) => rings.take(suspect));
  rings.releaseDone();
  for (const { ranMs } of killed) blame.patience.add(ranMs);
  return {
    killed,
    cause,
    suspected: caught,
    isExplained: end === 'killed' || end === 'none' || killed.length + caught.length > 0,
  };
}
