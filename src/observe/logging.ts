// The main half of the logging worker: hands over reports and letters, asks queries, replaces the worker when it dies.
import { join, resolve } from 'node:path';
import { type Clock, systemClock } from '../shared/clock.js';
import { Doorbell } from '../shared/doorbell.js';
import { BusbarError, type ErrorCode, invalidOption } from '../shared/errors.js';
import type { LoggingHealth } from '../shared/health-status.js';
import {
  type LetterHeader,
  type LoggingQueries,
  type LogLimits,
  STATUS_BYTES,
  Status,
} from '../shared/logging-task.js';
import type { LoggingTesting } from '../shared/logging-testing.js';
import { createRedactor, type RedactOptions, type Redactor } from '../shared/redact.js';
import type { ErrorReport } from '../shared/report.js';
import { allocateRing, RingWriter } from '../shared/ring.js';
import { LetterQueue } from './letter-queue.js';
import { LoggingThread } from './logging-thread.js';
import { realPath } from './real-path.js';
import { ReportQueue } from './report-queue.js';

const REPORT_RING_BYTES = 1024 * 1024;
const LETTER_RING_BYTES = 4 * 1024 * 1024;

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
  /** Of the error log. */
  readonly folder: string;
  #letterFolder: string | undefined;
  #limits: Partial<LogLimits> = {};
  #redact: RedactOptions = {};
  #redactor: Redactor | undefined;
  readonly #reports: ReportQueue;
  readonly #letters: LetterQueue;
  readonly #thread: LoggingThread;
  readonly #status: Int32Array;
  /** Letters that this process is replaying, by error_id: claimed, and their end not on the disk yet. */
  readonly replaying = new Set<string>();
  #users = 0;
  #opening: Promise<void> | undefined;

  /**
   * The one for this folder; give it back with {@link close}.
   *
   * @param folder of the error log
   * @param letterFolder of the dead letters; undefined: the caller keeps none, and joins whoever keeps some
   * @param limits each counts that is given first; what is secret for one user is so for all
   * @throws BUSBAR_INVALID_OPTION when this process keeps the letters of that folder in another one
   */
  static of(
    folder: string,
    letterFolder?: string,
    limits: Partial<LogLimits> = {},
    redact: RedactOptions = {},
    testing: LoggingTesting | null = null,
    clock = systemClock,
    isBrief = false,
  ): Logging {
    const path = resolve(folder);
    const letters = letterFolder === undefined ? undefined : resolve(letterFolder);
    const there = [...registry].find((logging) => realPath(logging.folder) === realPath(path));
    if (letters !== undefined && there?.keepsLetters === true && realPath(there.letterFolder) !== realPath(letters)) {
      const rule = `another folder, for this process keeps letters in ${there.letterFolder}: both have the log folder ${path}`;
      throw invalidOption('storageDir', rule, letters);
    }
    const logging = there ?? new Logging(path, testing, clock, isBrief);
    registry.add(logging);
    logging.join(letters, limits, redact);
    return logging;
  }

  private constructor(folder: string, testing: LoggingTesting | null, clock: Clock, isBrief: boolean) {
    this.folder = folder;
    const start = {
      folder,
      reports: allocateRing(REPORT_RING_BYTES),
      letters: allocateRing(LETTER_RING_BYTES),
      bell: Doorbell.allocate(),
      mainBell: Doorbell.allocate(),
      status: new SharedArrayBuffer(STATUS_BYTES),
      isBrief,
      testing,
    };
    const bell = new Doorbell(start.bell);
    this.#reports = new ReportQueue(new RingWriter(start.reports), bell, clock);
    this.#status = new Int32Array(start.status);
    this.#thread = new LoggingThread(clock, () => ({
      ...start,
      letterFolder: this.letterFolder,
      limits: { ...DEFAULT_LIMITS, ...this.#limits },
      redact: this.#redact,
      replaying: [...this.replaying],
    }));
    const store = async (header: LetterHeader, payload: Uint8Array): Promise<void> => {
      await this.open();
      await this.#thread.ask((worker) => worker.storeLetter(header, payload));
    };
    const ring = new RingWriter(start.letters);
    this.#letters = new LetterQueue(ring, bell, new Doorbell(start.mainBell), this.#status, store);
  }

  /** Where the dead letters lie. */
  get letterFolder(): string {
    return this.#letterFolder ?? join(this.folder, 'dead_letter');
  }

  /** True when somebody keeps dead letters here. */
  get keepsLetters(): boolean {
    return this.#letterFolder !== undefined;
  }

  /** For what is secret for any of its users. */
  get redactor(): Redactor {
    this.#redactor ??= createRedactor(this.#redact);
    return this.#redactor;
  }

  /** @internal One user more. A worker that runs is replaced when it has to do what it was not told at its start. */
  join(letterFolder: string | undefined, limits: Partial<LogLimits>, redact: RedactOptions): void {
    this.#users++;
    const before = JSON.stringify([this.letterFolder, this.#limits, this.#redact]);
    this.#letterFolder ??= letterFolder;
    this.#limits = { ...this.#limits, ...limits, ...this.#limits };
    this.#redact = unionOf(this.#redact, redact);
    this.#redactor = undefined;
    const isOther = JSON.stringify([this.letterFolder, this.#limits, this.#redact]) !== before;
    if (isOther && this.#opening !== undefined) void this.#begin(() => this.#thread.restart());
  }

  /**
   * Starts the worker, unless it runs.
   *
   * @throws BUSBAR_LOG_FOLDER, BUSBAR_FOLDER_LOCKED
   */
  open(): Promise<void> {
    return this.#opening ?? this.#begin(() => this.#thread.start());
  }

  /** Ends the worker; what is asked next starts another. */
  async rest(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    await opening?.catch(() => undefined);
    await this.#thread.rest();
  }

  /** Its worker runs, or is being started. */
  get isOpen(): boolean {
    return this.#opening !== undefined;
  }

  /** After what is being started already. */
  #begin(start: () => Promise<void>): Promise<void> {
    const before = this.#opening;
    const opening = (async () => {
      await before?.catch(() => undefined);
      await start();
    })();
    this.#opening = opening;
    opening.catch(() => {
      // The next one who asks tries again, and is told.
      if (this.#opening === opening) this.#opening = undefined;
    });
    return opening;
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
    return this.#reports.add(report, isRedacted, key);
  }

  /** See {@link ReportQueue.countLost}. */
  countLost(): void {
    this.#reports.countLost();
  }

  /** See {@link ReportQueue.repeated}. */
  repeated(key: string, now: number): ErrorReport | undefined {
    return this.#reports.repeated(key, now);
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
    this.#reports.tell();
    await this.#letters.handedOver();
    // Somebody may have joined meanwhile, and the worker be replaced.
    await this.open();
    return this.#thread.ask(query);
  }

  health(): LoggingHealth {
    const word = (index: number): number => Atomics.load(this.#status, index);
    return {
      up: this.#thread.isUp,
      restarts: this.#thread.restarts,
      lostReports: this.#reports.lost,
      deadLetters: word(Status.LETTERS),
      unpersisted: this.#thread.isUp ? this.#letters.refused : this.#letters.waiting,
      lostLetters: this.#letters.lost.count,
      corruptLines: word(Status.CORRUPT_LINES),
      tornTails: word(Status.TORN_TAILS),
      failedWrites: word(Status.FAILED_WRITES),
      failingSince: word(Status.FAILING_SINCE) >>> 0 || null,
      logFailing: word(Status.LOG_FAILING) === 1,
      lostLogLines: word(Status.LOST_LINES),
    };
  }

  /** Ends the worker once its last user has closed; everything handed over is written first. */
  async close(): Promise<void> {
    if (--this.#users > 0) return;
    registry.delete(this);
    this.#reports.tell();
    if (this.#opening !== undefined) {
      await this.#opening.catch(() => undefined);
      if (this.#thread.isUp) await this.#letters.handedOver();
    }
    await this.#thread.stop();
    this.#letters.close();
    const { lost } = this.#letters;
    if (lost.count === 0) return;
    // The last that anybody hears of them: there is no log any more.
    process.emitWarning(`${lost.count} dead letters could not be written to ${this.letterFolder} and are lost`, {
      type: 'BusbarWarning',
      code: 'BUSBAR_LETTERS_LOST' satisfies ErrorCode,
      detail: String(lost),
    });
  }
}

/** @internal so that its code shows in errors of users of a closed logger or queue */
export function closedError(what: string): BusbarError {
  return new BusbarError('BUSBAR_NOT_RUNNING', `this ${what} is closed`);
}

function unionOf(one: RedactOptions, other: RedactOptions): RedactOptions {
  const union = (a: readonly string[] = [], b: readonly string[] = []): readonly string[] => [...new Set([...a, ...b])];
  return { paths: union(one.paths, other.paths), patterns: union(one.patterns, other.patterns) };
}

function sharedRegistry(): Set<Logging> {
  const shared = globalThis as Record<symbol, unknown>;
  shared[REGISTRY] ??= new Set<Logging>();
  return shared[REGISTRY] as Set<Logging>;
}
