// The error log on disk: pino writes the lines, rotation keeps the file below its limit.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Level, Logger, pino as Pino } from 'pino';
import type { LogLimits } from '../../src/shared/logging-task.js';
import { ErrorCategory, type ErrorReport, type ErrorSeverity } from '../../src/shared/report.js';
import { type Damage, FILE_MODE, moveAside, readGoodLines } from './repair.js';

const NAME = 'message_bus_errors.json';
const ROTATED = /^message_bus_errors_\d{8}T\d{9}Z_\d+\.json$/;

const LEVEL_OF: Readonly<Record<ErrorSeverity, Level>> = {
  low: 'info',
  medium: 'warn',
  high: 'error',
  critical: 'fatal',
};

/** Lines that could not be written are kept up to this many bytes. */
const MOST_PENDING_BYTES = 1024 * 1024;

/** For appending; a link is not followed, and a pipe without a reader does not block. */
const APPEND =
  constants.O_APPEND |
  constants.O_CREAT |
  constants.O_WRONLY |
  (constants.O_NOFOLLOW ?? 0) |
  (constants.O_NONBLOCK ?? 0);

/** Belongs to the logging worker. Nothing here throws: a disk that fails is counted, and tried again. */
export class ErrorLog {
  readonly #folder: string;
  readonly #limits: LogLimits;
  #pino: Logger | undefined;
  readonly #now: () => number;
  readonly #onFailure: (error: unknown, lostLines: number) => void;
  #file: number | undefined;
  #bytes = 0;
  #rotations = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  /** @param now milliseconds since 1970 */
  constructor(
    folder: string,
    limits: LogLimits,
    now: () => number,
    onFailure: (error: unknown, lostLines: number) => void,
  ) {
    this.#folder = folder;
    this.#now = now;
    this.#limits = limits;
    this.#onFailure = onFailure;
  }

  /**
   * Loads pino, which takes a fifth of the worker's start: so it is loaded when the first line is written, or soon after the
   * start, while there are files left to open.
   */
  prepare(): void {
    try {
      this.#loadPino();
    } catch (error) {
      this.#onFailure(error, 0);
    }
  }

  #loadPino(): Logger {
    if (this.#pino !== undefined) return this.#pino;
    const { pino } = createRequire(import.meta.url)('pino') as { pino: typeof Pino };
    const options = { base: null, timestamp: false, formatters: { level: (level: string) => ({ level }) } };
    this.#pino = pino(options, { write: (line: string) => this.#add(Buffer.from(line)) });
    return this.#pino;
  }

  /** Takes damaged lines out of the file that an earlier process left, and returns the reports of the others. */
  restore(damage: Damage): ErrorReport[] {
    const there = lstatSync(this.#path, { throwIfNoEntry: false });
    // One that is far too large is not ours; it is rotated before the first line.
    if (there === undefined || (there.isFile() && there.size > this.#limits.maxLogBytes * 2)) return [];
    const reports: ErrorReport[] = [];
    readGoodLines(
      this.#path,
      (bytes, start, end) => {
        const report = reportOf(bytes.toString('utf8', start, end));
        return report !== undefined && reports.push(report) > 0;
      },
      damage,
    );
    return reports;
  }

  /** Adds one line; {@link flush} brings it to the disk. */
  write(report: ErrorReport): void {
    try {
      this.#loadPino()[LEVEL_OF[report.severity] ?? 'error'](report);
    } catch (error) {
      this.#onFailure(error, 1);
    }
  }

  /**
   * Writes what waits. Lines go to the disk cache, not through fsync: the log is a record, not a promise.
   * False: that failed; tried again with the next call.
   */
  flush(): boolean {
    if (this.#pending.length === 0) return true;
    try {
      this.#reopenIfReplaced();
      while (this.#pending.length > 0) this.#writeSome();
      return true;
    } catch (error) {
      this.#cutBack();
      this.close();
      this.#onFailure(error, this.#dropExcess());
      return false;
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  get #path(): string {
    return join(this.#folder, NAME);
  }

  #add(line: Buffer): void {
    this.#pending.push(line);
    this.#pendingBytes += line.length;
  }

  /** Writes as many lines as the file has room for; rotates first when it has none. */
  #writeSome(): void {
    const first = this.#pending[0] as Buffer;
    if (this.#bytes > 0 && this.#bytes + first.length > this.#limits.maxLogBytes) this.#rotate();
    let count = 0;
    let bytes = 0;
    for (const line of this.#pending) {
      if (count > 0 && this.#bytes + bytes + line.length > this.#limits.maxLogBytes) break;
      bytes += line.length;
      count++;
    }
    const batch = Buffer.concat(this.#pending.slice(0, count), bytes);
    for (let written = 0; written < bytes; ) written += writeSync(this.#open(), batch, written);
    this.#bytes += bytes;
    this.#pendingBytes -= bytes;
    this.#pending.splice(0, count);
  }

  #open(): number {
    if (this.#file === undefined) {
      const there = lstatSync(this.#path, { throwIfNoEntry: false });
      if (there !== undefined && !there.isFile()) moveAside(this.#path);
      this.#file = openSync(this.#path, APPEND, FILE_MODE);
      this.#bytes = fstatSync(this.#file).size;
    }
    return this.#file;
  }

  /** A file that was moved, replaced or deleted under us would swallow all lines from then on. */
  #reopenIfReplaced(): void {
    if (this.#file !== undefined) {
      const there = statSync(this.#path, { throwIfNoEntry: false });
      const { ino, size } = fstatSync(this.#file);
      if (there?.ino !== ino) this.close();
      // Others may have cut it, as programs do that rotate logs by copying them.
      this.#bytes = size;
    }
    this.#open();
  }

  /** After a write that failed half-way: its lines are written again, and must not be there twice. */
  #cutBack(): void {
    try {
      if (this.#file !== undefined) ftruncateSync(this.#file, this.#bytes);
    } catch {
      // The start of the next process finds the torn line.
    }
  }

  #rotate(): void {
    this.close();
    const utc = new Date(this.#now()).toISOString().replace(/[-:.]/g, '');
    const [last, number] = partsOf(this.#rotated().at(-1) ?? '');
    // Never earlier than the last one, also when the clock was set back: or the newest would be the first to go.
    const time = [utc, last].sort().at(-1) as string;
    if (time === last) this.#rotations = Math.max(this.#rotations, number + 1);
    let target: string;
    do {
      target = join(this.#folder, `message_bus_errors_${time}_${this.#rotations++}.json`);
    } while (statSync(target, { throwIfNoEntry: false }) !== undefined);
    renameSync(this.#path, target);
    const rotated = this.#rotated();
    for (const name of rotated.slice(0, Math.max(0, rotated.length - this.#limits.maxLogFiles))) {
      rmSync(join(this.#folder, name), { force: true });
    }
    this.#open();
  }

  /** Names of the rotated files, the oldest first. */
  #rotated(): string[] {
    return readdirSync(this.#folder)
      .filter((name) => ROTATED.test(name))
      .sort(byAge);
  }

  #dropExcess(): number {
    let lost = 0;
    while (this.#pendingBytes > MOST_PENDING_BYTES) {
      this.#pendingBytes -= (this.#pending.shift() as Buffer).length;
      lost++;
    }
    return lost;
  }
}

/** By time, then by number: within one millisecond the number tells. */
function byAge(a: string, b: string): number {
  const [timeA, numberA] = partsOf(a);
  const [timeB, numberB] = partsOf(b);
  return timeA === timeB ? numberA - numberB : timeA < timeB ? -1 : 1;
}

function partsOf(name: string): [time: string, number: number] {
  const [, , , time = '', number = ''] = name.split('_');
  return [time, Number.parseInt(number, 10)];
}

/** The report of a line, or undefined when it is damaged. */
function reportOf(line: string): ErrorReport | undefined {
  try {
    const { level: _level, ...report } = JSON.parse(line) as ErrorReport & { level: string };
    const isReport =
      typeof report.error_id === 'string' &&
      typeof report.timestamp === 'number' &&
      Object.values(ErrorCategory).includes(report.category) &&
      Object.hasOwn(LEVEL_OF, report.severity) &&
      typeof report.context === 'object' &&
      report.context !== null;
    return isReport ? report : undefined;
  } catch {
    return undefined;
  }
}
