// Gives letters back to the subscriptions that failed: claimed first, throttled, and settled in batches.
import type { Clock } from '../shared/clock.js';
import type { LetterQueries } from '../shared/letter-store.js';
import type { ReplayFailure, StoredLetter } from '../shared/logging-task.js';
import type { ReplayOptions, ReplayResult } from '../shared/replay.js';
import { storedLetter } from './stored-letter.js';

/** What came of one replayed letter. One that its handler discarded has succeeded. */
export type ReplayOutcome =
  | { readonly kind: 'succeeded' | 'not-tried' }
  | { readonly kind: 'failed'; readonly failure: ReplayFailure };

/** Gives a letter back to the subscription that failed. Resolves with what came of it. */
export type Republish = (letter: StoredLetter) => Promise<ReplayOutcome>;

export type Ask = <T>(query: (worker: LetterQueries) => Promise<T>) => Promise<T>;

/** Replays in flight at the same time. */
const MOST_REPLAYING = 256;
const CLAIM_AT_ONCE = 64;

/**
 * One call of `replay`. Runs on the main thread.
 *
 * A letter is marked as pending on the disk before its message goes out, and its end is on the disk before the result
 * names it. So a crash loses none, and one that was told as replayed does not come back. One whose handler succeeded
 * just before the crash is dead again after it, with its count of replays.
 */
export class Replay {
  readonly #ask: Ask;
  readonly #clock: Clock;
  readonly #republish: Republish;
  readonly #options: ReplayOptions;
  readonly result: ReplayResult = { replayed: [], failed: [], skipped: [] };
  readonly #running = new Set<Promise<void>>();
  readonly #settled: { letter: StoredLetter; outcome: ReplayOutcome }[] = [];
  #settling: Promise<void> | undefined;
  /** Why the worker could not be told; nothing more is replayed then. */
  #thrown: { readonly thrown: unknown } | undefined;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(ask: Ask, clock: Clock, republish: Republish, options: ReplayOptions) {
    this.#ask = ask;
    this.#clock = clock;
    this.#republish = republish;
    this.#options = options;
  }

  async run(ids: readonly string[]): Promise<ReplayResult> {
    const canary = this.#options.canary ?? 0;
    await this.#replay(ids.slice(0, canary));
    const rest = ids.slice(canary);
    if (this.result.replayed.length < Math.min(canary, ids.length)) this.result.skipped.push(...rest);
    else await this.#replay(rest);
    return this.result;
  }

  async #replay(ids: readonly string[]): Promise<void> {
    for (let start = 0; start < ids.length && this.#thrown === undefined; start += CLAIM_AT_ONCE) {
      const some = ids.slice(start, start + CLAIM_AT_ONCE);
      const letters = (await this.#ask((worker) => worker.claimLetters(some))).map(storedLetter);
      const claimed = new Set(letters.map(({ error_id: id }) => id));
      this.result.skipped.push(...some.filter((id) => !claimed.has(id)));
      for (const letter of letters) {
        await this.#turn();
        const one = this.#replayOne(letter)
          .catch((thrown: unknown) => {
            this.#thrown ??= { thrown };
          })
          .finally(() => this.#running.delete(one));
        this.#running.add(one);
        if (this.#running.size >= MOST_REPLAYING) await Promise.race(this.#running);
        if (this.#thrown !== undefined) break;
      }
    }
    await Promise.all(this.#running);
    if (this.#thrown !== undefined) throw this.#thrown.thrown;
  }

  /** Waits for the next letter's time; what came late is not made up for by a burst. */
  async #turn(): Promise<void> {
    const { ratePerSec } = this.#options;
    if (ratePerSec === undefined) return;
    const now = this.#clock.elapsed();
    const waitMs = this.#nextAt - now;
    this.#nextAt = Math.max(now, this.#nextAt) + 1000 / ratePerSec;
    // A timer is no finer than a millisecond; a higher rate comes as small groups.
    if (waitMs >= 1) await new Promise<void>((go) => this.#clock.after(waitMs, go, true));
  }

  async #replayOne(letter: StoredLetter): Promise<void> {
    let outcome: ReplayOutcome;
    try {
      outcome = letter.undecodable === true ? { kind: 'not-tried' } : await this.#republish(letter);
    } catch {
      outcome = { kind: 'not-tried' };
    }
    this.#settled.push({ letter, outcome });
    // What settles while a batch is on its way to the disk goes with the next one.
    while (this.#settling !== undefined) await this.#settling;
    if (this.#settled.length === 0) return;
    this.#settling = this.#settleAll().finally(() => {
      this.#settling = undefined;
    });
    await this.#settling;
  }

  async #settleAll(): Promise<void> {
    const batch = this.#settled.splice(0);
    const idsOf = (kind: ReplayOutcome['kind']): string[] =>
      batch.filter(({ outcome }) => outcome.kind === kind).map(({ letter }) => letter.error_id);
    const resolved = idsOf('succeeded');
    const returned = idsOf('not-tried');
    const refailed = batch.flatMap(({ letter, outcome }) =>
      outcome.kind === 'failed' ? [{ id: letter.error_id, failure: outcome.failure }] : [],
    );
    await this.#ask((worker) => worker.settleReplays({ resolved, refailed, returned }));
    this.result.replayed.push(...resolved);
    this.result.failed.push(...refailed.map(({ id }) => id));
    this.result.skipped.push(...returned);
  }
}
