// The main half of the logging worker: hands over reports and letters, asks queries, replaces the worker when it dies.
import { join, resolve } from 'node:path';
import { type Clock, systemClock, type Timer } from '../shared/clock.js';
import { Doorbell } from '../shared/doorbell.js';
import { BusbarError } from '../shared/errors.js';
import type { LoggingHealth } from '../shared/health-status.js';
import {
  type LetterHeader,
  type LoggingQueries,
  type LogLimits,
  LogRecord,
  STATUS_BYTES,
  Status,
} from '../shared/logging-task.js';
import type { LoggingTesting } from '../shared/logging-testing.js';
import type { RedactOptions } from '../shared/redact.js';
import type { ErrorReport } from '../shared/report.js';
import { encodeReport } from '../shared/report-record.js';
import { allocateRing, RingWriter } from '../shared/ring.js';
import { LetterQueue } from './letter-queue.js';
import { LoggingThread } from './logging-thread.js';
import { Repeats } from './repeats.js';

const REPORT_RING_BYTES = 1024 * 1024;
const LETTER_RING_BYTES = 4 * 1024 * 1024;

/** Repeated failures are told once in this time, in milliseconds. */
const TELL_REPEATS_MS = 1000;

const DEFAULT_LIMITS: LogLimits = {
  maxLogBytes: 10 * 1024 * 1024,
  maxLogFiles: 5,
  maxLetters: 1_000_000,
  maxLetterBytes: 4 * 1024 * 1024 * 1024,
  maxLetterAgeMs: 30 * 24 * 60 * 60 * 1000,
};

/** Users of one folder in this process share one worker; kept here, so that two copies of this module share it, too. */
const REGISTRY = Symbol.for('busbar.logging');
const registry = sharedRegistry();

/** Belongs to all that log into one folder. Runs on the main thread. */
export class Logging {
  readonly #key: string;
  readonly #letterFolder: string;
  readonly #reports: RingWriter;
  readonly #letters: LetterQueue;
  readonly #thread: LoggingThread;
  readonly #bell: Doorbell;
  readonly #status: Int32Array;
  readonly #clock: Clock;
  readonly #repeats = new Repeats();
  /** Letters that this process is replaying, by error_id: claimed, and their end not on the disk yet. */
  readonly replaying = new Set<string>();
  #repeatsTimer: Timer | undefined;
  #users = 0;
  #opening: Promise<void> | undefined;
  #lost = 0;
  #lostTold = 0;

  /**
   * The one for this folder; give it back with {@link close}.
   *
   * @param folder of the error log
   * @param letterFolder of the dead letters; default: `dead_letter` in it
   * @param limits those of the first user count, and so does `redact`
   */
  static of(
    folder: string,
    letterFolder = join(folder, 'dead_letter'),
    limits: Partial<LogLimits> = {},
    redact: RedactOptions = {},
    testing: LoggingTesting | null = null,
    clock = systemClock,
  ): Logging {
    const key = `${resolve(folder)}\n${resolve(letterFolder)}`;
    let logging = registry.get(key);
    if (logging === undefined) {
      logging = new Logging(
        key,
        resolve(folder),
        resolve(letterFolder),
        { ...DEFAULT_LIMITS, ...limits },
        redact,
        testing,
        clock,
      );
      registry.set(key, logging);
    }
    logging.#users++;
    return logging;
  }

  private constructor(
    key: string,
    folder: string,
    letterFolder: string,
    limits: LogLimits,
    redact: RedactOptions,
    testing: LoggingTesting | null,
    clock: Clock,
  ) {
    this.#key = key;
    this.#clock = clock;
    this.#letterFolder = letterFolder;
    const start = {
      folder,
      letterFolder,
      limits,
      redact,
      reports: allocateRing(REPORT_RING_BYTES),
      letters: allocateRing(LETTER_RING_BYTES),
      bell: Doorbell.allocate(),
      mainBell: Doorbell.allocate(),
      status: new SharedArrayBuffer(STATUS_BYTES),
      testing,
    };
    this.#reports = new RingWriter(start.reports);
    this.#bell = new Doorbell(start.bell);
    this.#status = new Int32Array(start.status);
    this.#thread = new LoggingThread(start, clock, this.replaying);
    const store = async (header: LetterHeader, payload: Uint8Array): Promise<void> => {
      await this.open();
      await this.#thread.ask((worker) => worker.storeLetter(header, payload));
    };
    this.#letters = new LetterQueue(
      new RingWriter(start.letters),
      this.#bell,
      new Doorbell(start.mainBell),
      this.#status,
      store,
    );
  }

  /** Where the dead letters lie. */
  get letterFolder(): string {
    return this.#letterFolder;
  }

  /**
   * Starts the worker, unless it runs.
   *
   * @throws BUSBAR_LOG_FOLDER, BUSBAR_FOLDER_LOCKED
   */
  open(): Promise<void> {
    this.#opening ??= this.#thread.start().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** Starts the worker, unless that was tried. May fail, as {@link open}: every query tells, and health counts. */
  openSoon(): void {
    if (this.#opening === undefined) this.open().catch(() => undefined);
  }

  /**
   * Hands a report over. False: no room; it is counted, and the next one tells. Never blocks.
   *
   * @param isRedacted false: a program's own report, which the worker redacts
   * @param key see {@link repeated}
   */
  report(report: ErrorReport, isRedacted = true, key = ''): boolean {
    if (key !== '') this.#repeats.add(key, report);
    if (this.#lost > this.#lostTold && this.#write(this.#lossReport(report), true)) this.#lostTold = this.#lost;
    const isWritten = this.#write(report, isRedacted);
    if (isWritten) this.#bell.ring();
    else this.#lost += typeof report.context['repeats'] === 'number' ? report.context['repeats'] : 1;
    return isWritten;
  }

  /** One that was handed in is no report. The next report tells. */
  countLost(): void {
    this.#lost++;
  }

  /**
   * Counts a failure that repeats others, so that no report need be made of it. Undefined: it has to be reported.
   *
   * @param key what such failures have in common; empty: nothing
   * @param now seconds since 1970
   * @returns a report like those before it
   */
  repeated(key: string, now: number): ErrorReport | undefined {
    if (key === '') return undefined;
    const report = this.#repeats.count(key, now);
    if (report !== undefined) this.#repeatsTimer ??= this.#clock.after(TELL_REPEATS_MS, () => this.#tellRepeats());
    return report;
  }

  /**
   * Hands a dead letter over.
   *
   * @param payload as encoded; copied
   * @param onStored called with true once it survives a power cut; with false when the disk fails. Called once
   * @param insists only ever called with true, unless the letter has to be dropped
   */
  letter(header: LetterHeader, payload: Uint8Array, onStored: (isStored: boolean) => void, insists = false): void {
    this.#letters.add(header, payload, onStored, insists);
  }

  /**
   * Asks the worker; the answer comes after all that was handed over before.
   *
   * @throws BUSBAR_LOGGING_WORKER when it dies meanwhile, or what opening throws
   */
  async ask<T>(query: (worker: LoggingQueries) => Promise<T>): Promise<T> {
    await this.open();
    this.#tellRepeats();
    await this.#letters.handedOver();
    return this.#thread.ask(query);
  }

  health(): LoggingHealth {
    const word = (index: number): number => Atomics.load(this.#status, index);
    return {
      up: this.#thread.isUp,
      restarts: this.#thread.restarts,
      lostReports: this.#lost,
      deadLetters: word(Status.LETTERS),
      unpersisted: this.#thread.isUp ? this.#letters.refused : this.#letters.waiting,
      lostLetters: this.#letters.lost,
      corruptLines: word(Status.CORRUPT_LINES),
      tornTails: word(Status.TORN_TAILS),
      failedWrites: word(Status.FAILED_WRITES),
      logFailing: word(Status.LOG_FAILING) === 1,
      lostLogLines: word(Status.LOST_LINES),
    };
  }

  /** Ends the worker once its last user has closed; everything handed over is written first. */
  async close(): Promise<void> {
    if (--this.#users > 0) return;
    registry.delete(this.#key);
    this.#tellRepeats();
    if (this.#opening !== undefined) {
      await this.#opening.catch(() => undefined);
      if (this.#thread.isUp) await this.#letters.handedOver();
    }
    await this.#thread.stop();
    const { lost } = this.#letters;
    this.#letters.close();
    const more = this.#letters.lost - lost;
    // The last that anybody hears of them: there is no log any more.
    if (more > 0)
      process.emitWarning(
        `${more} dead letters could not be written to ${this.#letterFolder} and are lost`,
        'BusbarWarning',
      );
  }

  #tellRepeats(): void {
    this.#repeatsTimer?.cancel();
    this.#repeatsTimer = undefined;
    for (const report of this.#repeats.take()) this.report(report);
  }

  #write(report: ErrorReport, isRedacted: boolean): boolean {
    const bytes = encodeReport(report);
    return (
      bytes.length <= this.#reports.largestRecord &&
      this.#reports.tryWrite(isRedacted ? LogRecord.REPORT : LogRecord.RAW_REPORT, bytes)
    );
  }

  #lossReport(like: ErrorReport): ErrorReport {
    const repeats = this.#lost - this.#lostTold;
    return {
      ...like,
      error_id: `${like.error_id}-lost`,
      component: 'logging_worker',
      message: `${repeats} error reports found no room, or were none`,
      exception_type: 'LostReports',
      traceback: null,
      context: { repeats },
    };
  }
}

/** @internal so that its code shows in errors of users of a closed logger or queue */
export function closedError(what: string): BusbarError {
  return new BusbarError('BUSBAR_NOT_RUNNING', `this ${what} is closed`);
}

function sharedRegistry(): Map<string, Logging> {
  const shared = globalThis as Record<symbol, unknown>;
  shared[REGISTRY] ??= new Map<string, Logging>();
  return shared[REGISTRY] as Map<string, Logging>;
}
