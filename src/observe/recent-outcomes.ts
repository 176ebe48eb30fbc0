// How deliveries ended lately: what the counters of the subscriptions have gained, minute by minute.
import { Minutes } from '../shared/minutes.js';

/** Lately is within so many minutes; where fewer deliveries were settled in them than say anything, it is the last hour. */
const LATELY = 5;
const FEWEST = 20;
const HOUR = 60;

export interface RecentSuccess {
  /** Succeeded among those settled, from 0 to 1; 1 where none was. */
  readonly rate: number;
  /** So many are looked at. */
  readonly minutes: number;
}

/** What is counted for one subscription, since it began. */
interface Counts {
  readonly pattern: string;
  readonly subscriberId: string;
  readonly succeeded: number;
  readonly deadLettered: number;
  readonly dropped: number;
}

/** Belongs to one bus. Runs on the main thread. */
export class RecentOutcomes {
  readonly #succeeded = new Minutes();
  readonly #failed = new Minutes();
  #last = new Map<string, { readonly succeeded: number; readonly failed: number }>();

  /**
   * What was settled since it was last called counts as settled now.
   *
   * @param now seconds since 1970
   */
  take(subscriptions: readonly Counts[], now: number): void {
    const before = this.#last;
    this.#last = new Map();
    for (const { pattern, subscriberId, succeeded, deadLettered, dropped } of subscriptions) {
      const name = `${pattern}\n${subscriberId}`;
      const failed = deadLettered + dropped;
      let last = before.get(name);
      // Another one of the same name, which begins at nothing.
      if (last === undefined || last.succeeded > succeeded || last.failed > failed) last = { succeeded: 0, failed: 0 };
      if (succeeded > last.succeeded) this.#succeeded.add(succeeded - last.succeeded, now);
      if (failed > last.failed) this.#failed.add(failed - last.failed, now);
      this.#last.set(name, { succeeded, failed });
    }
  }

  success(now: number): RecentSuccess {
    const settledLately = this.#succeeded.sum(LATELY, now) + this.#failed.sum(LATELY, now);
    const minutes = settledLately < FEWEST ? HOUR : LATELY;
    const succeeded = this.#succeeded.sum(minutes, now);
    const settled = succeeded + this.#failed.sum(minutes, now);
    return { rate: settled === 0 ? 1 : succeeded / settled, minutes };
  }
}
