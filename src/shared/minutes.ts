// Counts things by the minute, and forgets them after an hour. Times in seconds since 1970.

const KEPT = 60;

/** Runs on any thread. */
export class Minutes {
  readonly #counts = new Map<number, number>();

  add(count: number, now: number): void {
    const minute = minuteOf(now);
    const known = this.#counts.get(minute);
    this.#counts.set(minute, (known ?? 0) + count);
    if (known !== undefined) return;
    for (const old of this.#counts.keys()) if (old <= minute - KEPT) this.#counts.delete(old);
  }

  /**
   * How many were counted in the last minutes, of which the one that has just begun is the first.
   *
   * @param minutes 1 to 60
   * @param before so many minutes, 0 or more, before now
   */
  sum(minutes: number, now: number, before = 0): number {
    const newest = minuteOf(now) - before;
    let sum = 0;
    for (const [minute, count] of this.#counts) {
      if (minute > newest - minutes && minute <= newest) sum += count;
      // Of a clock that was set back since: they would count again in an hour, or in a year.
      else if (minute > newest + before + 1) this.#counts.delete(minute);
    }
    return sum;
  }
}

function minuteOf(seconds: number): number {
  return Math.floor(seconds / 60);
}
