// Tells a drain whose event loop stands still (a loop in what a settled handler left behind) from one that has nothing to do.

/** A longer gap between two looks says that main was busy or stood still, not how long a thread had time, in milliseconds. */
export const LONGEST_GAP_MS = 100;

/** Belongs to one lane. Runs on the main thread. Real time: a stepped clock gives no thread time to run. */
export class Pulse {
  #beat = 0;
  #seenAt = 0;
  #stoodMs = 0;
  /** The loop has turned between the last two looks. */
  hasTurned = false;

  /** Another drain has begun. */
  reset(): void {
    this.#stoodMs = 0;
    this.#seenAt = 0;
  }

  /**
   * To be called again and again while the drain runs.
   *
   * @param beat another one each time the drain's loop turned
   * @param isExpected the loop has a reason to turn
   * @param now `systemClock.elapsed()`
   * @returns milliseconds for which it was expected to turn, and did not
   */
  look(beat: number, isExpected: boolean, now: number): number {
    const gap = this.#seenAt === 0 ? 0 : Math.min(now - this.#seenAt, LONGEST_GAP_MS);
    this.hasTurned = beat !== this.#beat;
    const stands = isExpected && !this.hasTurned;
    this.#stoodMs = stands ? this.#stoodMs + gap : 0;
    this.#beat = beat;
    this.#seenAt = now;
    return this.#stoodMs;
  }
}
