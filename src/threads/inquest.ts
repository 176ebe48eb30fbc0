// What is found in the rings of a lane whose thread is gone: who is to blame is taken out, the others may run again.
import type { SharedBreaker } from '../shared/breaker.js';
import type { Delivery } from '../shared/delivery.js';
import type { Blame, Ending } from './blame.js';
import type { KillCause } from './lane-contract.js';
import type { LaneRings } from './lane-rings.js';
import type { ThreadEnd } from './pool.js';

/** Times in milliseconds. */
export interface Findings {
  /** They have ended the thread: how long their handlers ran, and might have. */
  readonly killed: readonly { readonly delivery: Delivery; readonly ranMs: number; readonly timeoutMs: number }[];
  readonly cause: KillCause;
  /** One of them has. */
  readonly suspected: readonly Delivery[];
  /** No handler was under way. */
  readonly isNobody: boolean;
}

/**
 * Mends the rings as well.
 *
 * @param now `Clock.elapsed()`
 */
export function holdInquest(
  rings: LaneRings,
  blame: Blame,
  end: ThreadEnd,
  ending: Ending | null,
  breaker: SharedBreaker | undefined,
  now: number,
): Findings {
  const suspects = rings.repair();
  const { culprits, cause, suspected, innocent } = blame.judge(end, suspects, ending);
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
  return { killed, cause, suspected: caught, isNobody: suspects.length === 0 };
}
