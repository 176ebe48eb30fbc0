// How much may wait in a subscription, and what gives when it is too much.

/** What to do with a newcomer. `evict`: take the oldest low-priority delivery out of the backlog, then ask again. */
export type Admission = 'accept' | 'evict' | 'refuse';

export interface QueueLimits {
  readonly deliveries: number;
  readonly bytes: number;
}

/** What waits in a subscription now. */
export interface QueueDepth {
  readonly deliveries: number;
  /** Payloads on the main thread. */
  readonly bytes: number;
}

const EXPANSION = 1.5;
/** An expanded queue shrinks back after this time, in milliseconds. */
const EXPANDED_MS = 30_000;

/**
 * The cascade of a full queue: first low-priority deliveries give way, then the queue grows by half for a time, then
 * newcomers are refused. Decides; has no effects.
 */
export class QueueLimit {
  readonly #limits: QueueLimits;
  /** Newcomers that surely fit, so that most need no counting. */
  #room = 0;
  #expandedUntil = 0;
  /** Times the queue was expanded. */
  expansions = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** True for all but one newcomer in many: there is room, and nothing need be counted. */
  hasRoom(): boolean {
    return this.#room-- > 0;
  }

  /**
   * @param depth what waits now
   * @param canEvict a delivery of lower priority than the newcomer waits in the backlog
   * @param elapsed `Clock.elapsed()`
   */
  admit(depth: QueueDepth, canEvict: boolean, elapsed: number): Admission {
    if (this.#fits(depth, elapsed < this.#expandedUntil ? EXPANSION : 1)) return 'accept';
    if (canEvict) return 'evict';
    if (elapsed < this.#expandedUntil || !this.#fits(depth, EXPANSION)) return 'refuse';
    this.#expandedUntil = elapsed + EXPANDED_MS;
    this.expansions++;
    return 'accept';
  }

  #fits(depth: QueueDepth, factor: number): boolean {
    const room = Math.floor(this.#limits.deliveries * factor) - depth.deliveries;
    if (room <= 0 || depth.bytes >= this.#limits.bytes * factor) return false;
    // Half of it, for bytes are not counted in between.
    this.#room = Math.min(room >> 1, 1024) - 1;
    return true;
  }
}
