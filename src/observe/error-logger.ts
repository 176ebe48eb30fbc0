// The error log for its users: hand a report in, ask for what was.
import { resolve } from 'node:path';
import { invalidOption } from '../shared/errors.js';
import type { ErrorFilter, ErrorStatistics } from '../shared/logging-task.js';
import type { Moment } from '../shared/moment.js';
import { assertKnown, fields } from '../shared/option-checks.js';
import { createRedactor, type RedactOptions } from '../shared/redact.js';
import type { ErrorReport } from '../shared/report.js';
import { type GivenReport, reportFrom } from './given-report.js';
import { errorFilter } from './letter-choice.js';
import { closedError, Logging } from './logging.js';

/** Options of an {@link ErrorLogger} of its own. */
export interface ErrorLoggerOptions {
  /** Folder of the log; made if it is missing. Resolved once, here. */
  readonly logDir: string;
  /** The log is rotated before it grows above this, in bytes, at least 1024. Default 10 485 760. */
  readonly maxLogSize?: number;
  /** Rotated files that are kept, 1 or more. Default 5. */
  readonly maxFiles?: number;
  /** What is secret beyond what busbar knows. */
  readonly redact?: RedactOptions;
}

/**
 * Writes error reports as JSON Lines, from a thread of its own. Opens at first use; a process ends by itself only after
 * {@link close}. Runs on the main thread; no call blocks it.
 */
export class ErrorLogger {
  readonly #logging: Logging;
  #closing: Promise<void> | undefined;

  /** @throws BUSBAR_INVALID_OPTION */
  constructor(options: ErrorLoggerOptions) {
    assertKnown('options', fields('options', options, '{ logDir }'), ['logDir', 'maxLogSize', 'maxFiles', 'redact']);
    const { logDir, maxLogSize, maxFiles, redact = {} } = options;
    if (typeof logDir !== 'string' || logDir === '') throw invalidOption('logDir', 'the path of a folder', logDir);
    assertWhole('maxLogSize', maxLogSize, 1024);
    assertWhole('maxFiles', maxFiles, 1);
    createRedactor(redact);
    this.#logging = Logging.of(
      resolve(logDir),
      undefined,
      {
        ...(maxLogSize === undefined ? {} : { maxLogBytes: maxLogSize }),
        ...(maxFiles === undefined ? {} : { maxLogFiles: maxFiles }),
      },
      redact,
    );
  }

  /**
   * Hands a report over, in about a microsecond; secrets are taken out before it reaches the disk. Fields that say nothing
   * when they are left out may be left out. False: it is no report, there was no room, or the logger is closed; what is no
   * report and what found no room is counted, and the log says how many. Never throws.
   */
  logError(report: GivenReport): boolean {
    if (this.#closing !== undefined) return false;
    this.#logging.openSoon();
    const checked = reportFrom(report);
    if (checked !== undefined) return this.#logging.report(checked, false);
    this.#logging.countLost();
    return false;
  }

  /**
   * Totals across restarts; every key is there also when there was no error.
   *
   * @throws BUSBAR_NOT_RUNNING, BUSBAR_LOG_FOLDER, BUSBAR_FOLDER_LOCKED, BUSBAR_LOGGING_WORKER
   */
  async getErrorStatistics(): Promise<ErrorStatistics> {
    this.#assertOpen();
    return this.#logging.ask((worker) => worker.statistics());
  }

  /**
   * Up to the last 1000 reports of this process, the newest first; 100 unless `limit` says otherwise.
   *
   * @throws as {@link getErrorStatistics}, and BUSBAR_INVALID_OPTION
   */
  async recentErrors(filter: ErrorFilter<Moment> = {}): Promise<ErrorReport[]> {
    this.#assertOpen();
    const wanted = errorFilter(filter);
    return this.#logging.ask((worker) => worker.recentErrors(wanted));
  }

  /**
   * Resolves when everything handed over is in the files.
   *
   * @throws as {@link getErrorStatistics}
   */
  async flush(): Promise<void> {
    this.#assertOpen();
    await this.#logging.ask((worker) => worker.flush());
  }

  /** Writes everything and ends the thread, unless others use the same folder. Closing twice is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#logging.close();
    return this.#closing;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError('error logger');
  }
}

function assertWhole(option: string, value: unknown, least: number): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= least)) return;
  throw invalidOption(option, `a whole number >= ${least}`, value);
}
