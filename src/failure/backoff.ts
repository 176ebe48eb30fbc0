// How long to wait before the next attempt.

/** How a category's failures are retried. */
export interface RetryConfig {
  /** Failed attempts that are followed by another one, 0 or more. */
  maxRetries: number;
  /** The wait before the first retry, in milliseconds, before jitter. */
  backoffMs: number;
  /** Each wait is this many times the one before. Default 2. */
  factor?: number;
  /** The longest wait, in milliseconds. Default 30 000, or what a hint such as `Retry-After` asks for, a day at most. */
  maxBackoffMs?: number;
  /** Default true: a random wait between 0 and the computed one. */
  jitter?: boolean;
  /** No retry that would begin later than this after the first failure, in milliseconds. Default: no such limit. */
  maxElapsedMs?: number;
}

const DEFAULT_FACTOR = 2;
const DEFAULT_MAX_BACKOFF_MS = 30_000;

/**
 * Exponential backoff with full jitter: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @param failures failed attempts so far, 1 or more
 * @param random from 0 to 1
 */
export function backoffMs(config: RetryConfig, failures: number, random: () => number): number {
  const factor = config.factor ?? DEFAULT_FACTOR;
  const longest = config.maxBackoffMs ?? DEFAULT_MAX_BACKOFF_MS;
  // 0 times the infinity that a long run of failures leads to would be NaN.
  const wait = config.backoffMs === 0 ? 0 : Math.min(longest, config.backoffMs * factor ** (failures - 1));
  return config.jitter === false ? wait : wait * random();
}
