// Tells a thread that dies now and then from one that dies again and again.

/** Times as `Clock.elapsed()`, in milliseconds. */
export class StormGuard {
  readonly #most: number;
  readonly #windowMs: number;
  #deaths: number[] = [];

  constructor(most: number, windowMs: number) {
    this.#most = most;
    this.#windowMs = windowMs;
  }

  /** Counts one death. True: that makes `most` within the window, and counting starts again. */
  died(now: number): boolean {
    this.#deaths = [...this.#deaths.filter((at) => now - at < this.#windowMs), now];
    if (this.#deaths.length < this.#most) return false;
    this.#deaths = [];
    return true;
  }
}
