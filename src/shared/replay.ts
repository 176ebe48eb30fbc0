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

/** What came of a replay, as error_ids. */
export interface ReplayResult {
  /** Handled, and gone from the queue. With `dryRun`: those that would be replayed. */
  readonly replayed: string[];
  /** Failed again, and still in the queue, with one replay failure more. */
  readonly failed: string[];
  /**
   * Not tried, and as they were: not there, being replayed already, not decodable, without their subscription, given way in
   * a full queue, cut off by `stop()`, or the canary failed.
   */
  readonly skipped: string[];
  /**
   * Those of all these whose subscription's breaker was open when they were given back: they waited until it let them
   * through. With `dryRun`: those that would wait.
   */
  readonly held: string[];
}
