// The dead-letter queue for its users: add, look, replay, archive, purge.
import { basename, dirname, resolve } from 'node:path';
import { type Clock, systemClock } from '../shared/clock.js';
import { type Encoded, encodeLossy, encodePayload } from '../shared/codec.js';
import { BusbarError, invalidOption } from '../shared/errors.js';
import type { LetterFilter, LetterStats, LetterSummary, StoredLetter } from '../shared/logging-task.js';
import type { ReplayOptions, ReplayResult } from '../shared/replay.js';
import type { DeadLetterReason, ErrorReport } from '../shared/report.js';
import { type GivenUpMessage, headerOf } from './given-up.js';
import { closedError, Logging } from './logging.js';
import { storedLetter } from './stored-letter.js';

/** Options of a {@link DeadLetterQueue} of its own. */
export interface DeadLetterQueueOptions {
  /** Folder of the letters; made if it is missing. Resolved once, here. `dead_letter` in a log folder joins that log. */
  readonly storageDir: string;
  /** Letters kept, 1 or more; the oldest go first. Default 1 000 000. */
  readonly maxLetters?: number;
  /** Bytes kept, 1 or more; the oldest go first. Default 4 GiB. */
  readonly maxBytes?: number;
  /** How long letters are kept, in milliseconds, more than 0. Default 30 days. */
  readonly maxAgeMs?: number;
}

/** Gives a letter back to the subscription that failed. Resolves with what came of it. */
export type Republish = (letter: StoredLetter) => Promise<'succeeded' | 'failed' | 'no-subscription'>;

/** Replays in flight at the same time. */
const MOST_REPLAYING = 256;
const READ_AT_ONCE = 64;

/**
 * Keeps given-up messages on disk until they are replayed or removed. Opens at first use; a process ends by itself only
 * after {@link close}. Runs on the main thread; the disk is touched by the logging worker alone.
 *
 * Every method may reject with BUSBAR_NOT_RUNNING (closed), BUSBAR_LOG_FOLDER, BUSBAR_FOLDER_LOCKED or
 * BUSBAR_LOGGING_WORKER.
 */
export class DeadLetterQueue {
  readonly #logging: Logging;
  readonly #clock: Clock;
  readonly #republish: Republish | undefined;
  #closing: Promise<void> | undefined;

  /**
   * @param republish given by a bus; without it, nothing can be replayed
   * @throws BUSBAR_INVALID_OPTION
   */
  constructor(options: DeadLetterQueueOptions, republish?: Republish, clock = systemClock) {
    const { storageDir, maxLetters, maxBytes, maxAgeMs } = options ?? {};
    if (typeof storageDir !== 'string' || storageDir === '') {
      throw invalidOption('storageDir', 'the path of a folder', storageDir);
    }
    assertMost('maxLetters', maxLetters);
    assertMost('maxBytes', maxBytes);
    assertMost('maxAgeMs', maxAgeMs);
    const letterFolder = resolve(storageDir);
    const folder = basename(letterFolder) === 'dead_letter' ? dirname(letterFolder) : letterFolder;
    this.#logging = Logging.of(folder, letterFolder, {
      ...(maxLetters === undefined ? {} : { maxLetters }),
      ...(maxBytes === undefined ? {} : { maxLetterBytes: maxBytes }),
      ...(maxAgeMs === undefined ? {} : { maxLetterAgeMs: maxAgeMs }),
    });
    this.#republish = republish;
    this.#clock = clock;
  }

  /** Resolves with the letter's error_id once it survives a power cut. What cannot be encoded is kept as far as it can be. */
  async addMessage(message: GivenUpMessage, report: ErrorReport, reason: DeadLetterReason = 'manual'): Promise<string> {
    this.#assertOpen();
    const { codec, bytes } = encodeOrLess(message.payload);
    const header = headerOf(message, report, reason, codec, this.#clock.now() / 1000);
    const stored = new Promise<boolean>((done) => this.#logging.letter(header, bytes, done, true));
    await this.#logging.open();
    if (!(await stored))
      throw new BusbarError('BUSBAR_LOGGING_WORKER', 'the dead letter could not be written to the disk');
    return header.error_id;
  }

  /** All letters that wait, with their payloads, oldest first. */
  async getMessages(): Promise<StoredLetter[]> {
    const ids = (await this.list({})).map(({ error_id }) => error_id);
    return this.#read(ids);
  }

  /** Without payloads, oldest first. */
  list(filter: LetterFilter = {}): Promise<LetterSummary[]> {
    return this.#ask((worker) => worker.listLetters(filter));
  }

  /** One letter with its payload, or undefined. */
  async show(id: string): Promise<StoredLetter | undefined> {
    const [letter] = await this.#read([id]);
    return letter;
  }

  /**
   * Gives letters back to the subscriptions that failed, and resolves when each has been handled or has failed again.
   * A letter that fails again keeps its place and counts one replay more.
   *
   * @throws BUSBAR_NOT_RUNNING without a bus that runs, BUSBAR_INVALID_OPTION
   */
  async replay(which: readonly string[] | LetterFilter = {}, options: ReplayOptions = {}): Promise<ReplayResult> {
    const republish = this.#republish;
    if (republish === undefined)
      throw new BusbarError('BUSBAR_NOT_RUNNING', 'replaying needs a running bus: use bus.deadLetterQueue');
    assertMost('ratePerSec', options.ratePerSec);
    assertMost('canary', options.canary);
    const ids = await this.#idsOf(which);
    const result: ReplayResult = { replayed: [], failed: [], skipped: [] };
    if (options.dryRun) return { ...result, replayed: ids };

    const canary = ids.slice(0, options.canary ?? 0);
    await this.#replayAll(canary, republish, options.ratePerSec, result);
    const rest = ids.slice(canary.length);
    if (result.replayed.length < canary.length) result.skipped.push(...rest);
    else await this.#replayAll(rest, republish, options.ratePerSec, result);
    return result;
  }

  /** Keeps letters, but out of the way of replays. Returns how many. */
  async archive(which: readonly string[] | LetterFilter): Promise<number> {
    const ids = await this.#idsOf(which);
    return this.#ask((worker) => worker.setLetterState(ids, 'archived'));
  }

  /** Removes letters for good. Returns how many. */
  async purge(which: readonly string[] | LetterFilter): Promise<number> {
    const ids = Array.isArray(which)
      ? (which as string[])
      : (await this.list(which as LetterFilter)).map(({ error_id }) => error_id);
    return this.#ask((worker) => worker.removeLetters(ids));
  }

  /** Empties memory and disk. Returns how many letters went. */
  clear(): Promise<number> {
    return this.#ask((worker) => worker.clearLetters());
  }

  /** How many letters there are, by reason, category, subscriber and signature. */
  stats(): Promise<LetterStats> {
    return this.#ask((worker) => worker.letterStats());
  }

  /** Waits for what is on its way to the disk. Closing twice is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#logging.close();
    return this.#closing;
  }

  async #read(ids: readonly string[]): Promise<StoredLetter[]> {
    return (await this.#ask((worker) => worker.readLetters(ids))).map(storedLetter);
  }

  async #ask<T>(
    query: Parameters<Logging['ask']>[0] extends (worker: infer W) => unknown ? (worker: W) => Promise<T> : never,
  ): Promise<T> {
    this.#assertOpen();
    return this.#logging.ask(query);
  }

  async #idsOf(which: readonly string[] | LetterFilter): Promise<string[]> {
    if (Array.isArray(which)) return [...(which as readonly string[])];
    const filter = which as LetterFilter;
    return (await this.list({ state: 'dead', ...filter })).map(({ error_id }) => error_id);
  }

  async #replayAll(
    ids: readonly string[],
    republish: Republish,
    ratePerSec: number | undefined,
    result: ReplayResult,
  ): Promise<void> {
    const running = new Set<Promise<void>>();
    for (let start = 0; start < ids.length; start += READ_AT_ONCE) {
      const some = ids.slice(start, start + READ_AT_ONCE);
      const letters = await this.#read(some);
      await this.#ask((worker) => worker.setLetterState(some, 'pending_replay'));
      for (const letter of letters) {
        const one = this.#replayOne(letter, republish, result).finally(() => running.delete(one));
        running.add(one);
        if (running.size >= MOST_REPLAYING) await Promise.race(running);
        if (ratePerSec !== undefined) await new Promise<void>((go) => this.#clock.after(1000 / ratePerSec, go, true));
      }
    }
    await Promise.all(running);
  }

  async #replayOne(letter: StoredLetter, republish: Republish, result: ReplayResult): Promise<void> {
    const id = letter.error_id;
    const outcome = await republish(letter);
    if (outcome === 'succeeded') {
      await this.#ask((worker) => worker.removeLetters([id]));
      result.replayed.push(id);
      return;
    }
    await this.#ask((worker) => worker.setLetterState([id], 'dead'));
    (outcome === 'failed' ? result.failed : result.skipped).push(id);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError('dead-letter queue');
  }
}

function encodeOrLess(payload: unknown): Encoded {
  try {
    return encodePayload(payload);
  } catch {
    return encodeLossy(payload);
  }
}

function assertMost(option: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value) && value > 0)) return;
  throw invalidOption(option, 'a number > 0', value);
}
