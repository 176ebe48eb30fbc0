// The words of a replay: how letters are given back, and what came of it.

/** Options of `DeadLetterQueue.replay`. */
export interface ReplayOptions {
  /** Letters a second at most. Default: as fast as the subscription takes them. */
  readonly ratePerSec?: number;
  /** Replay this many first, and go on only if all of them succeed. */
  readonly canary?: number;
  /** Only say which would be replayed. */
  readonly dryRun?: boolean;
}

/** What came of a replay, as error_ids. */
export interface ReplayResult {
  /** Handled, and gone from the queue. With `dryRun`: those that would be replayed. */
  readonly replayed: string[];
  /** Failed again, and still in the queue. */
  readonly failed: string[];
  /** Not tried: their subscription is not there, or the canary failed. */
  readonly skipped: string[];
}
