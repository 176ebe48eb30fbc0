// Gives letters back to the subscriptions that failed: claimed first, throttled, and settled in batches.
import { type Clock, systemClock } from '../shared/clock.js';
import { BusbarError, invalidOption } from '../shared/errors.js';
import type { LetterQueries } from '../shared/letter-store.js';
import type { LetterSummary, ReplayFailure, StoredLetter } from '../shared/logging-task.js';
import { assertKnown, flag, positive, whole } from '../shared/option-checks.js';
import { noReplayYet, type ReplayOptions, type ReplayResult, type SkipReason, skip } from '../shared/replay.js';
import { within } from '../shared/within.js';
import { storedLetter } from './stored-letter.js';

/** What came of one replayed letter. One that its handler discarded has succeeded. */
export type ReplayOutcome =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'not-tried'; readonly why: SkipReason }
  | { readonly kind: 'failed'; readonly failure: ReplayFailure };

/** Where letters are given back: the subscriptions of a bus. */
export interface ReplayTarget {
  /** False once the bus takes no more messages. */
  readonly isOpen: boolean;
  /** `held`: its breaker is open, and messages wait for it. A reason: it is gone, or takes none. */
  standing(letter: Pick<LetterSummary, 'pattern' | 'subscriber_id' | 'reason'>): 'ready' | 'held' | SkipReason;
  /** Gives a letter back to the subscription that failed. Resolves with what came of it. */
  replay(letter: StoredLetter): Promise<ReplayOutcome>;
}

export type Ask = <T>(query: (worker: LetterQueries) => Promise<T>) => Promise<T>;

/** Replays in flight at the same time. */
const MOST_REPLAYING = 256;
const CLAIM_AT_ONCE = 64;
/** Before letters that could not be claimed or settled are tried again, in milliseconds. */
const AGAIN_MS = 100;
/** The caller waits so long for a logging worker that died and is being replaced, in milliseconds. */
const PATIENCE_MS = 10_000;
/** Handlers that still run when the queue closes are given so long, in milliseconds. */
const CLOSING_MS = 1000;

interface Settled {
  readonly id: string;
  readonly outcome: ReplayOutcome;
}

export interface ReplayParts {
  readonly ask: Ask;
  readonly clock: Clock;
  readonly target: ReplayTarget;
  /** Letters that this process is replaying: claimed, and their end not on the disk yet. */
  readonly replaying: Set<string>;
}

/**
 * One call of `replay`. Runs on the main thread.
 *
 * A letter is marked as pending on the disk before its message goes out, and its end is on the disk before the result
 * names it. So a crash loses none, and one that was told as replayed does not come back. One whose handler succeeded
 * just before the crash is dead again after it, with its count of replays. A logging worker that dies meanwhile, or a disk
 * that refuses, only delays the end of a letter: it is told again until it is taken.
 */
export class Replay {
  readonly #parts: ReplayParts;
  readonly #options: ReplayOptions;
  readonly #result = noReplayYet();
  /** Letters that were claimed and are not settled, by error_id. */
  readonly #claimed = new Map<string, Promise<void>>();
  readonly #settled: Settled[] = [];
  #settling: Promise<void> | undefined;
  /** Resolves when the last letter is settled, or could not be claimed. */
  #over: Promise<void> = Promise.resolve();
  #isEnding = false;
  #endTurn: () => void = () => undefined;
  #fail: (thrown: unknown) => void = () => undefined;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(parts: ReplayParts, options: ReplayOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Rejects when the letters cannot be reached: then no more go out, and those that are out are settled once they can be. */
  async run(ids: readonly string[]): Promise<ReplayResult> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    const all = this.#runAll(ids);
    this.#over = all.catch(() => undefined);
    try {
      await Promise.race([all, failed]);
      return this.#result;
    } finally {
      this.#stopSending();
    }
  }

  /** Sends no more letters, and gives back those that are not handled by now. */
  async end(): Promise<void> {
    this.#stopSending();
    await within(systemClock, CLOSING_MS, () => this.#over, undefined, true);
    const returned = [...this.#claimed.keys()];
    if (returned.length === 0) return;
    try {
      await this.#parts.ask((worker) => worker.settleReplays({ resolved: [], refailed: [], returned }));
    } catch {
      // The next start of this folder gives them back.
    }
    this.#forget(returned);
  }

  async #runAll(ids: readonly string[]): Promise<void> {
    const canary = this.#options.canary ?? 0;
    await this.#replay(ids.slice(0, canary));
    const rest = ids.slice(canary);
    if (this.#result.replayed.length < Math.min(canary, ids.length))
      skip(this.#result, rest, this.#goesOn ? 'canary' : 'stopping');
    else await this.#replay(rest);
  }

  async #replay(ids: readonly string[]): Promise<void> {
    const { replaying } = this.#parts;
    for (let start = 0; start < ids.length; start += CLAIM_AT_ONCE) {
      if (!this.#goesOn) {
        skip(this.#result, ids.slice(start), 'stopping');
        break;
      }
      const some = ids.slice(start, start + CLAIM_AT_ONCE);
      const free = some.filter((id) => !replaying.has(id));
      const busy = some.filter((id) => replaying.has(id));
      const claimed = await this.#answerTo((worker) => worker.claimLetters(free), raise);
      const letters = claimed.map(storedLetter);
      // Claimed by another replay just before, whose answer came before this one.
      busy.push(...free.filter((id) => replaying.has(id)));
      for (const { error_id: id } of letters) replaying.add(id);
      const taken = new Set(letters.map(({ error_id: id }) => id));
      skip(this.#result, busy, 'replaying');
      for (const letter of letters) {
        await this.#turn();
        this.#claimed.set(letter.error_id, this.#replayOne(letter));
        if (this.#claimed.size >= MOST_REPLAYING) await Promise.race(this.#claimed.values());
      }
      await this.#skipUnclaimed(free.filter((id) => !taken.has(id) && !busy.includes(id)));
    }
    await Promise.all(this.#claimed.values());
  }

  /** One that is there is being replayed by another process. */
  async #skipUnclaimed(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const there = await this.#answerTo((worker) => worker.readLetters(ids), raise);
    const known = new Set(there.map((letter) => storedLetter(letter).error_id));
    for (const id of ids) skip(this.#result, [id], known.has(id) ? 'replaying' : 'unknown');
  }

  get #goesOn(): boolean {
    return !this.#isEnding && this.#parts.target.isOpen;
  }

  #stopSending(): void {
    this.#isEnding = true;
    this.#endTurn();
  }

  /** Waits for the next letter's time; what came late is not made up for by a burst. */
  async #turn(): Promise<void> {
    const { ratePerSec } = this.#options;
    if (ratePerSec === undefined || !this.#goesOn) return;
    const { clock } = this.#parts;
    const now = clock.elapsed();
    const waitMs = this.#nextAt - now;
    this.#nextAt = Math.max(now, this.#nextAt) + 1000 / ratePerSec;
    // A timer is no finer than a millisecond; a higher rate comes as small groups.
    if (waitMs < 1) return;
    const ended = new Promise<void>((go) => {
      this.#endTurn = go;
    });
    // Its timer goes with it: it would keep the process alive.
    await within(clock, waitMs, () => ended, undefined, true);
  }

  /** Never rejects. */
  async #replayOne(letter: StoredLetter): Promise<void> {
    this.#settled.push({ id: letter.error_id, outcome: await this.#outcomeOf(letter) });
    // What settles while a batch is on its way to the disk goes with the next one.
    while (this.#settling !== undefined) await this.#settling;
    if (this.#settled.length === 0) return;
    this.#settling = this.#settleAll().finally(() => {
      this.#settling = undefined;
    });
    await this.#settling;
  }

  async #outcomeOf(letter: StoredLetter): Promise<ReplayOutcome> {
    if (!this.#goesOn) return { kind: 'not-tried', why: 'stopping' };
    if (letter.undecodable === true) return { kind: 'not-tried', why: 'undecodable' };
    const { target } = this.#parts;
    try {
      if (target.standing(letter) === 'held') this.#result.held.push(letter.error_id);
      return await target.replay(letter);
    } catch {
      // In the codec of its subscription its payload is no message.
      return { kind: 'not-tried', why: 'undecodable' };
    }
  }

  async #settleAll(): Promise<void> {
    const batch = this.#settled.splice(0);
    const idsOf = (kind: ReplayOutcome['kind']): string[] =>
      batch.filter(({ outcome }) => outcome.kind === kind).map(({ id }) => id);
    const resolved = idsOf('succeeded');
    const returned = idsOf('not-tried');
    const refailed = batch.flatMap(({ id, outcome }) =>
      outcome.kind === 'failed' ? [{ id, failure: outcome.failure }] : [],
    );
    try {
      await this.#answerTo((worker) => worker.settleReplays({ resolved, refailed, returned }), this.#fail);
    } catch {
      // The queue is closed; `end` has given them back.
      return;
    }
    this.#forget(batch.map(({ id }) => id));
    this.#result.replayed.push(...resolved);
    this.#result.failed.push(...refailed.map(({ id }) => id));
    for (const { id, outcome } of batch) if (outcome.kind === 'not-tried') skip(this.#result, [id], outcome.why);
  }

  /**
   * Asks until there is an answer: a query that was not answered may be asked again.
   *
   * @param onTrouble called when there was none for so long that the caller should know
   */
  async #answerTo<T>(query: (worker: LetterQueries) => Promise<T>, onTrouble: (thrown: unknown) => void): Promise<T> {
    const patience = systemClock.elapsed() + PATIENCE_MS;
    for (;;) {
      try {
        return await this.#parts.ask(query);
      } catch (thrown) {
        const code = thrown instanceof BusbarError ? thrown.code : undefined;
        if (code !== 'BUSBAR_LOGGING_WORKER' || systemClock.elapsed() >= patience) onTrouble(thrown);
        if (code === 'BUSBAR_NOT_RUNNING') throw thrown;
      }
      await new Promise<void>((again) => systemClock.after(AGAIN_MS, again));
    }
  }

  #forget(ids: readonly string[]): void {
    for (const id of ids) {
      this.#claimed.delete(id);
      this.#parts.replaying.delete(id);
    }
  }
}

function raise(thrown: unknown): never {
  throw thrown;
}

/** @throws BUSBAR_INVALID_OPTION */
export function assertReplayOptions(options: ReplayOptions): void {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', 'an object', options);
  assertKnown('options', options, ['ratePerSec', 'canary', 'dryRun']);
  if (options.ratePerSec !== undefined) positive('ratePerSec', options.ratePerSec);
  if (options.canary !== undefined) whole('canary', options.canary, 1);
  if (options.dryRun !== undefined) flag('dryRun', options.dryRun);
}
