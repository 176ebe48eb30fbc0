// The words of a replay: how letters are given back, and what came of it.

/** Options of `DeadLetterQueue.replay`. */
export interface ReplayOptions {
  /** Letters a second at most, more than 0. Default: as fast as the subscription takes them. */
  readonly ratePerSec?: number;
  /** Replay this many first, and go on only if all of them succeed. A whole number >= 1. Default: no canary. */
  readonly canary?: number;
  /** Only say which would be replayed. Default false. */
  readonly dryRun?: boolean;
}

/**
 * Why a letter was not tried.
 *
 * - `unknown`: there is no such letter.
 * - `replaying`: it is being replayed already.
 * - `undecodable`: its payload cannot be read; `edit` gives it another.
 * - `unsubscribed`: its subscription (pattern and subscriberId) is not there.
 * - `breaker_open`: its subscription's breaker is open, and gives messages up at once (`whenOpen: 'dead-letter'`).
 * - `queue_full`: it gave way to others in a full queue.
 * - `stopping`: the bus stopped before.
 * - `canary`: one of the canary failed before.
 */
export type SkipReason =
  | 'unknown'
  | 'replaying'
  | 'undecodable'
  | 'unsubscribed'
  | 'breaker_open'
  | 'queue_full'
  | 'stopping'
  | 'canary';

/** What came of a replay, as error_ids. */
export interface ReplayResult {
  /** Handled, and gone from the queue. With `dryRun`: those that would be replayed. */
  readonly replayed: string[];
  /** Failed again, and still in the queue, with one replay failure more. */
  readonly failed: string[];
  /** Not tried, and as they were, but that archived ones are `dead` again. With `dryRun`: those that would not be. */
  readonly skipped: string[];
  /** The same by why they were not tried; a reason that none has is not there. */
  readonly skippedBecause: Partial<Record<SkipReason, string[]>>;
  /**
   * Those of all these whose subscription's breaker was open when they were given back: they waited until it let them
   * through. With `dryRun`: those that would wait.
   */
  readonly held: string[];
}

export function noReplayYet(): ReplayResult {
  return { replayed: [], failed: [], skipped: [], skippedBecause: {}, held: [] };
}

export function skip({ skipped, skippedBecause }: ReplayResult, ids: readonly string[], why: SkipReason): void {
  if (ids.length === 0) return;
  skippedBecause[why] ??= [];
  // One by one: they may be a million, more than fit on the stack.
  for (const id of ids) {
    skipped.push(id);
    skippedBecause[why].push(id);
  }
}
