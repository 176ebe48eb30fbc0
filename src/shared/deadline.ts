// How long an attempt may take, and how that grows after timeouts.

/** What decides on the deadline of an attempt. In milliseconds. */
export interface DeadlineRule {
  readonly timeoutMs: number;
  /** No deadline grows beyond it; `timeoutMs` itself where it is not to grow. */
  readonly maxTimeoutMs: number;
  /** No deadline that is fitted to what handlers take falls below it. */
  readonly minTimeoutMs: number;
  /** True: the timeout is fitted to what handlers take. */
  readonly isObserved: boolean;
}

const GROWTH = 1.5;

/** @param timeouts attempts of this delivery that timed out */
export function timeoutAfter(timeoutMs: number, timeouts: number, { maxTimeoutMs }: DeadlineRule): number {
  return timeouts === 0 ? timeoutMs : Math.max(timeoutMs, Math.min(maxTimeoutMs, timeoutMs * GROWTH ** timeouts));
}
