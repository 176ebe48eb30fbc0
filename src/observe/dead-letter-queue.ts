// The dead-letter queue for its users: add, look, replay, archive, purge.

import { basename, dirname, resolve } from 'node:path';
import { type Clock, systemClock } from '../shared/clock.js';
import { type Encoded, encodeLossy, encodePayload } from '../shared/codec.js';
import { BusbarError, invalidOption } from '../shared/errors.js';
import type { LetterStore } from '../shared/letter-store.js';
import type {
  LetterChoice,
  LetterEdit,
  LetterFilter,
  LetterGroup,
  LetterStats,
  LetterSummary,
  StoredLetter,
} from '../shared/logging-task.js';
import type { Headers, Priority } from '../shared/message.js';
import type { Moment } from '../shared/moment.js';
import { assertKnown, fields, flag, positive } from '../shared/option-checks.js';
import { assertPublishOptions } from '../shared/publish-options.js';
import { createRedactor, type RedactOptions } from '../shared/redact.js';
import type { ReplayOptions, ReplayResult } from '../shared/replay.js';
import type { DeadLetterReason } from '../shared/report.js';
import { copyOf } from '../shared/views.js';
import { dryRun } from './dry-run.js';
import type { GivenReport } from './given-report.js';
import { type GivenUpMessage, headerOf } from './given-up.js';
import { assertId, chosen, isIds, letterChoice, letterFilter } from './letter-choice.js';
import { LettersOfBoth } from './letters-of-both.js';
import { closedError, Logging } from './logging.js';
import { type Ask, assertReplayOptions, Replay, type ReplayTarget } from './replay.js';
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
  /** True: this process holds the folder for a moment only, and a bus that starts meanwhile waits. Default false. */
  readonly brief?: boolean;
  /** What is secret in the messages of reports, beyond what busbar knows. */
  readonly redact?: RedactOptions;
}

/** What {@link DeadLetterQueue.edit} may change; what is not named stays as it is. */
export interface LetterChanges {
  readonly payload?: unknown;
  /** At most 1024 characters; null: none. */
  readonly key?: string | null;
  readonly priority?: Priority;
  /** Strings by name; null: none. */
  readonly headers?: Headers | null;
}

const CHANGES = ['payload', 'key', 'priority', 'headers'];

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
  readonly #target: ReplayTarget | undefined;
  readonly #elsewhere: () => LetterStore | undefined;
  readonly #replays = new Set<Replay>();
  #isClosed = false;
  #closing: Promise<void> | undefined;

  /**
   * @param target given by a bus; without it, nothing can be replayed
   * @throws BUSBAR_INVALID_OPTION
   */
  constructor(
    options: DeadLetterQueueOptions,
    target?: ReplayTarget,
    clock = systemClock,
    elsewhere: () => LetterStore | undefined = () => undefined,
  ) {
    const known = ['storageDir', 'maxLetters', 'maxBytes', 'maxAgeMs', 'brief', 'redact'];
    assertKnown('options', fields('options', options, '{ storageDir }'), known);
    const { storageDir, maxLetters, maxBytes, maxAgeMs, brief = false, redact = {} } = options;
    if (typeof storageDir !== 'string' || storageDir === '') {
      throw invalidOption('storageDir', 'the path of a folder', storageDir);
    }
    for (const [name, value] of Object.entries({ maxLetters, maxBytes, maxAgeMs }))
      if (value !== undefined) positive(name, value);
    flag('brief', brief);
    createRedactor(redact);
    const letterFolder = resolve(storageDir);
    const folder = basename(letterFolder) === 'dead_letter' ? dirname(letterFolder) : letterFolder;
    const limits = {
      ...(maxLetters === undefined ? {} : { maxLetters }),
      ...(maxBytes === undefined ? {} : { maxLetterBytes: maxBytes }),
      ...(maxAgeMs === undefined ? {} : { maxLetterAgeMs: maxAgeMs }),
    };
    this.#logging = Logging.of(folder, letterFolder, limits, redact, null, systemClock, brief);
    this.#target = target;
    this.#clock = clock;
    this.#elsewhere = elsewhere;
  }

  /**
   * Resolves with the letter's error_id once it survives a power cut. What cannot be encoded is kept as far as it can be. The
   * report may leave out what {@link ErrorLogger.logError} lets it leave out; secrets are taken out of what it says.
   *
   * @throws BUSBAR_INVALID_OPTION
   */
  async addMessage(message: GivenUpMessage, report: GivenReport, reason: DeadLetterReason = 'manual'): Promise<string> {
    this.#assertOpen();
    const { codec, bytes } = encodeOrLess(message.payload);
    const header = headerOf(message, report, reason, codec, this.#clock.now() / 1000, this.#logging.redactor);
    const elsewhere = this.#elsewhere();
    if (elsewhere !== undefined) {
      await new Promise<void>((done) => elsewhere.letter(header, bytes, done, false));
      return header.error_id;
    }
    const stored = new Promise<boolean>((done) => this.#logging.letter(header, bytes, done, true));
    await this.#logging.open();
    if (!(await stored))
      throw new BusbarError('BUSBAR_LOGGING_WORKER', 'the dead letter could not be written to the disk');
    return header.error_id;
  }

  /** All letters, with their payloads, oldest first. Needs room for all of them: {@link list} does not. */
  async getMessages(): Promise<StoredLetter[]> {
    return this.#read(await this.#ask((worker) => worker.letterIds({})));
  }

  /** Without payloads, oldest first. Throws BUSBAR_INVALID_OPTION for a field that no filter has, and for milliseconds. */
  async list(filter: LetterFilter<Moment> = {}): Promise<LetterSummary[]> {
    const wanted = letterFilter(filter);
    return this.#ask((worker) => worker.listLetters(wanted));
  }

  /**
   * One letter with its payload, or undefined.
   *
   * @throws BUSBAR_INVALID_OPTION for what is no id
   */
  async show(id: string): Promise<StoredLetter | undefined> {
    assertId(id);
    const [letter] = await this.#read([id]);
    return letter;
  }

  /** The causes of letters, those with the most letters first. */
  async groups(filter: LetterFilter<Moment> = {}): Promise<LetterGroup[]> {
    const wanted = letterFilter(filter);
    return this.#ask((worker) => worker.letterGroups(wanted));
  }

  /**
   * Gives letters back to the subscriptions that failed, and resolves when each has been handled or has failed again.
   * By filter, only those in the state `dead`, unless it says otherwise. A letter that fails again keeps its place and
   * takes on the new failure; there is never a second one. One that is being replayed already is skipped.
   *
   * Replays go out side by side: letters of one key keep their order, others do not. Where a subscription's breaker is
   * open, its letters wait until it lets them through: `held` names them, also in a dry run. When the bus stops, those that
   * were not tried by then are as they were.
   *
   * @throws BUSBAR_NOT_RUNNING without a bus that runs, BUSBAR_INVALID_OPTION, also for a choice that says nothing
   */
  async replay(choice: LetterChoice<Moment>, options: ReplayOptions = {}): Promise<ReplayResult> {
    const target = this.#target;
    if (target === undefined)
      throw new BusbarError('BUSBAR_NOT_RUNNING', 'replaying needs a running bus: use bus.deadLetterQueue');
    assertReplayOptions(options);
    const wanted = chosen(choice, 'dead');
    if (options.dryRun === true)
      return dryRun(isIds(wanted) ? await this.#read(wanted) : await this.list(wanted), wanted, target);
    const ids = await this.#idsOf(wanted);
    const { replaying } = this.#logging;
    const replay = new Replay({ ask: this.#askAnyway, clock: this.#clock, target, replaying }, options);
    this.#replays.add(replay);
    const result = await replay.run(ids);
    // One that failed may still have letters to settle.
    this.#replays.delete(replay);
    return result;
  }

  /**
   * Changes a letter, so that its replay may succeed. Resolves once the change is on the disk, with the letter as it is
   * now; with undefined when there is no such letter, or it is being replayed.
   *
   * @throws BUSBAR_INVALID_OPTION, BUSBAR_ENCODING
   */
  async edit(id: string, changes: LetterChanges): Promise<StoredLetter | undefined> {
    assertId(id);
    assertKnown('changes', fields('changes', changes), CHANGES);
    if (Object.keys(changes).length === 0)
      throw invalidOption('changes', `at least one of ${CHANGES.join(', ')}`, changes);
    const { key, priority, headers } = changes;
    assertPublishOptions({
      ...(key == null ? {} : { key }),
      ...(priority === undefined ? {} : { priority }),
      ...(headers == null ? {} : { headers }),
    });
    const edit: LetterEdit = {
      ...(key === undefined ? {} : { key }),
      ...(priority === undefined ? {} : { priority }),
      ...(headers === undefined ? {} : { headers }),
      ...('payload' in changes ? { payload: ownEncoding(changes.payload) } : {}),
    };
    const letter = await this.#ask((worker) => worker.editLetter(id, edit));
    return letter && storedLetter(letter);
  }

  /** Keeps dead letters, but out of the way of replays. Returns how many. */
  async archive(choice: LetterChoice<Moment>): Promise<number> {
    const ids = await this.#idsOf(chosen(choice, 'dead'));
    return this.#ask((worker) => worker.moveLetters(ids, 'dead', 'archived'));
  }

  /** Takes {@link archive} back. Returns how many. */
  async unarchive(choice: LetterChoice<Moment>): Promise<number> {
    const ids = await this.#idsOf(chosen(choice, 'archived'));
    return this.#ask((worker) => worker.moveLetters(ids, 'archived', 'dead'));
  }

  /** Removes letters for good: archived ones, too, unless a filter names a `state`. Returns how many. */
  async purge(choice: LetterChoice<Moment>): Promise<number> {
    const ids = await this.#idsOf(letterChoice(choice));
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

  /** Waits for what is on its way to the disk; replays end, and letters that are not handled in time stay. Twice is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#replays].map((replay) => replay.end()));
    this.#isClosed = true;
    await this.#logging.close();
  }

  async #read(ids: readonly string[]): Promise<StoredLetter[]> {
    return (await this.#ask((worker) => worker.readLetters(ids))).map(storedLetter);
  }

  readonly #ask: Ask = async (query) => {
    this.#assertOpen();
    return this.#askAnyway(query);
  };

  /** Also while the queue closes: for replays that end. */
  readonly #askAnyway: Ask = async (query) => {
    if (this.#isClosed) throw closedError('dead-letter queue');
    const elsewhere = this.#elsewhere();
    if (elsewhere === undefined) return this.#logging.ask(query);
    // What the servers did not take, and what was there before there were any.
    if (this.#logging.health().deadLetters === 0) return query(elsewhere);
    return this.#logging.ask((worker) => query(new LettersOfBoth(elsewhere, worker)));
  };

  async #idsOf(wanted: readonly string[] | LetterFilter): Promise<readonly string[]> {
    this.#assertOpen();
    return isIds(wanted) ? wanted : this.#ask((worker) => worker.letterIds(wanted));
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

/** A copy: what encoding returns is valid until the next encoding only. */
function ownEncoding(payload: unknown): NonNullable<LetterEdit['payload']> {
  const { codec, bytes } = encodePayload(payload);
  return { codec, bytes: copyOf(bytes) };
}
