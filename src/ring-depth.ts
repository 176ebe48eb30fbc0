// How many deliveries one ring of a lane may hold.
import type { ResolvedSubscribeOptions } from './resolved-options.js';
import { PRIORITIES } from './shared/message.js';
import { burstOf } from './threads/rate-limit.js';

/** What lies in a ring can no longer be evicted: half of the queue at most, or less where a policy evicts; and this many. */
const DEEPEST_RING = 65_536;
const PART_IN_RINGS = 1 / 2;
/** Each retry has all that lies in the rings of a strict lane sent back to main. */
const DEEPEST_STRICT_RING = 64;
const PART_IN_RINGS_IF_EVICTED = 1 / 2 / PRIORITIES.length;

export function depthOf({ maxQueueSize, lanes, overflow, rateLimit, ordering }: ResolvedSubscribeOptions): number {
  const evicts = overflow === 'drop-oldest' || overflow === 'drop-low';
  if (rateLimit !== undefined) return Math.min(burstOf(rateLimit), maxQueueSize);
  const part = (maxQueueSize / lanes) * (evicts ? PART_IN_RINGS_IF_EVICTED : PART_IN_RINGS);
  return Math.max(1, Math.min(ordering === 'strict' ? DEEPEST_STRICT_RING : DEEPEST_RING, Math.floor(part)));
}
