// How much may wait in a subscription: when it is full, when it grows for a time, when publishers should slow down.

/** What waits in a subscription, or may. */
export interface QueueDepth {
  readonly deliveries: number;
  /** Of their payloads, with their topics, keys and headers. */
  readonly bytes: number;
}

const EXPANSION = 1.5;
/** An expanded queue shrinks back after this time, in milliseconds, and grows again only when it has been below its limit. */
const EXPANDED_MS = 30_000;
/** Parts of the limits at which publishers should slow down, and may go on. */
const HIGH = 0.8;
const LOW = 0.5;
/** `#expandedUntil` of a queue that may grow. */
const NOT_EXPANDED = -1;

/** Decides; has no effects. Times as `Clock.elapsed()`, in milliseconds. */
export class QueueLimit {
  readonly #most: QueueDepth;
  readonly #high: QueueDepth;
  readonly #low: QueueDepth;
  /** Newcomers that surely fit, so that most need no counting. */
  #room = 0;
  #roomBytes = 0;
  #expandedUntil = NOT_EXPANDED;
  /** Above its high watermark, and not yet below the low one again. */
  isPressed = false;
  /** Times the queue was expanded. */
  expansions = 0;

  constructor(most: QueueDepth) {
    this.#most = most;
    this.#high = { deliveries: Math.max(1, Math.ceil(most.deliveries * HIGH)), bytes: most.bytes * HIGH };
    this.#low = { deliveries: Math.min(this.#high.deliveries - 1, most.deliveries * LOW), bytes: most.bytes * LOW };
  }

  /** True for all but one newcomer in many: there is room, and nothing need be counted. */
  hasRoom(bytes: number): boolean {
    this.#room--;
    this.#roomBytes -= bytes;
    return this.#room >= 0 && this.#roomBytes >= 0;
  }

  /** True: a newcomer of so many bytes fits in. What it is told here holds until as many have come. */
  fits(depth: QueueDepth, bytes: number, elapsed: number): boolean {
    this.#room = 0;
    if (this.#fitsInto(EXPANSION, depth, bytes) && elapsed < this.#expandedUntil) return true;
    if (!this.#fitsInto(1, depth, bytes)) return false;
    this.#expandedUntil = NOT_EXPANDED;
    // While nobody is pressed, the one that comes to the watermark must be counted, too.
    const next = this.isPressed ? this.#most : this.#high;
    const itself = this.isPressed ? 0 : 1;
    this.#room = next.deliveries - depth.deliveries - 1 - itself;
    this.#roomBytes = next.bytes - depth.bytes - bytes - itself;
    return true;
  }

  /** Lets a full queue grow by half for a time. False: it is as large as it may be, or has not shrunk since. */
  expands(depth: QueueDepth, bytes: number, elapsed: number): boolean {
    if (this.#expandedUntil !== NOT_EXPANDED || !this.#fitsInto(EXPANSION, depth, bytes)) return false;
    this.#expandedUntil = elapsed + EXPANDED_MS;
    this.expansions++;
    return true;
  }

  /** True when this depth puts the queue under pressure, which it was not. */
  presses({ deliveries, bytes }: QueueDepth): boolean {
    if (this.isPressed || (deliveries < this.#high.deliveries && bytes < this.#high.bytes)) return false;
    this.isPressed = true;
    return true;
  }

  /** True when this depth takes the pressure off the queue. */
  drains({ deliveries, bytes }: QueueDepth): boolean {
    if (!this.isPressed || deliveries > this.#low.deliveries || bytes > this.#low.bytes) return false;
    this.isPressed = false;
    this.#room = 0;
    return true;
  }

  #fitsInto(factor: number, depth: QueueDepth, bytes: number): boolean {
    const { deliveries, bytes: mostBytes } = this.#most;
    return depth.deliveries < Math.floor(deliveries * factor) && depth.bytes + bytes <= mostBytes * factor;
  }
}
