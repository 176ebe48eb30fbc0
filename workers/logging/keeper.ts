// The logging worker's work: empties the two rings onto the disk, in batches, and answers queries in between.
import { type Clock, systemClock } from '../../src/shared/clock.js';
import { Doorbell } from '../../src/shared/doorbell.js';
import {
  type ErrorFilter,
  type ErrorStatistics,
  type LetterFilter,
  type LetterHeader,
  type LetterState,
  type LetterStats,
  type LetterSummary,
  type LoggingQueries,
  type LoggingStart,
  LogRecord,
  type OpenResult,
  type ReadLetter,
  Status,
} from '../../src/shared/logging-task.js';
import { createRedactor, type Redactor } from '../../src/shared/redact.js';
import type { ErrorReport } from '../../src/shared/report.js';
import { RingReader, type RingRecord } from '../../src/shared/ring.js';
import { ErrorLog } from './error-log.js';
import { Folder } from './folder.js';
import { Letters } from './letters.js';
import { Rollup } from './rollup.js';
import { Segments } from './segments.js';
import { Statistics } from './statistics.js';
import { Troubles } from './troubles.js';

/** Letters in one group commit: what waits longer than their fsync takes forms the next group. */
const MOST_IN_GROUP = 512;
const MOST_REPORTS_IN_BATCH = 256;
/** Between writes of the metrics file, and looks at limits, in milliseconds. */
const HOUSEKEEPING_MS = 1000;
/** Before a disk that failed is tried again, in milliseconds. */
const RETRY_MS = 500;

/** Belongs to the logging worker. */
export class Keeper implements LoggingQueries {
  readonly #reports: RingReader;
  readonly #letterRing: RingReader;
  readonly #bell: Doorbell;
  readonly #mainBell: Doorbell;
  readonly #status: Int32Array;
  readonly #folder: Folder;
  readonly #start: LoggingStart;
  readonly #clock: Clock;
  readonly #log: ErrorLog;
  readonly #rollup = new Rollup();
  readonly #redactor: Redactor;
  readonly #troubles = new Troubles();
  readonly #letters: Letters;
  readonly #segments: Segments;
  #statistics: Statistics | undefined;
  #isClosing = false;
  #retryAt = 0;
  #nextHousekeeping = 0;

  /** @param clock of reports and letters; when to try again is a matter of real time */
  constructor(start: LoggingStart, clock: Clock) {
    this.#start = start;
    this.#clock = clock;
    this.#reports = new RingReader(start.reports);
    this.#letterRing = new RingReader(start.letters);
    this.#bell = new Doorbell(start.bell);
    this.#mainBell = new Doorbell(start.mainBell);
    this.#status = new Int32Array(start.status);
    this.#folder = new Folder(start.folder, start.isReplacement, (error) => this.#noteFailure(error));
    this.#log = new ErrorLog(start.folder, start.limits, clock.now, (error, lost) => {
      this.#noteFailure(error);
      Atomics.add(this.#status, Status.LOST_LINES, lost);
    });
    this.#redactor = createRedactor(start.redact);
    this.#segments = new Segments(start.letterFolder, clock.now);
    this.#letters = new Letters(this.#segments, start.limits);
  }

  async open(): Promise<OpenResult> {
    const result = await this.#folder.open(this.#start.letterFolder);
    if (!result.ok) return result;
    this.#statistics = new Statistics(this.#start.folder);
    const damage = this.#letters.restore();
    Atomics.add(this.#status, Status.CORRUPT_LINES, damage.corruptLines);
    Atomics.add(this.#status, Status.TORN_TAILS, damage.tornTails);
    this.#showLetters();
    void this.#run();
    return result;
  }

  async recentErrors(filter: ErrorFilter): Promise<ErrorReport[]> {
    this.#takeAll();
    return this.#opened.recent(filter);
  }

  async statistics(): Promise<ErrorStatistics> {
    this.#takeAll();
    return this.#opened.summary(this.#seconds());
  }

  async flush(): Promise<void> {
    this.#takeAll();
    this.#keepHouse(true);
  }

  async listLetters(filter: LetterFilter): Promise<LetterSummary[]> {
    this.#takeAll();
    return this.#letters.list(filter);
  }

  async readLetters(ids: readonly string[]): Promise<ReadLetter[]> {
    this.#takeAll();
    return this.#letters.read(ids);
  }

  async storeLetter(header: LetterHeader, payload: Uint8Array): Promise<void> {
    this.#takeAll();
    this.#letters.add([{ header, payload }]);
    this.#showLetters();
  }

  async letterStats(): Promise<LetterStats> {
    this.#takeAll();
    return this.#letters.stats();
  }

  async setLetterState(ids: readonly string[], state: LetterState): Promise<number> {
    this.#takeAll();
    return this.#letters.setState(ids, state, this.#seconds());
  }

  async removeLetters(ids: readonly string[]): Promise<number> {
    this.#takeAll();
    const removed = this.#letters.remove(ids, this.#seconds());
    this.#showLetters();
    return removed;
  }

  async clearLetters(): Promise<number> {
    this.#takeAll();
    const removed = this.#letters.clear();
    this.#showLetters();
    return removed;
  }

  async die(): Promise<void> {
    process.exit(1);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#retryAt = 0;
    this.#takeAll();
    this.#keepHouse(true);
    this.#log.close();
    this.#segments.close();
    await this.#folder.close();
  }

  get #opened(): Statistics {
    if (this.#statistics === undefined) throw new Error('the logging worker is not open');
    return this.#statistics;
  }

  async #run(): Promise<void> {
    while (!this.#isClosing) {
      const more = this.#takeReports() || this.#takeLetters();
      if (systemClock.elapsed() >= this.#nextHousekeeping) this.#keepHouse(false);
      // Queries come as messages: they need turns of the event loop, also while there is much to do.
      if (more) await new Promise<void>((resume) => setImmediate(resume));
      else await this.#bell.sleep(() => this.#isClosing || this.#hasWork(), HOUSEKEEPING_MS);
    }
  }

  #hasWork(): boolean {
    return this.#reports.hasNext || (this.#letterRing.hasNext && systemClock.elapsed() >= this.#retryAt);
  }

  #takeAll(): void {
    while (this.#takeReports());
    while (this.#takeLetters());
  }

  /** True: there may be more. */
  #takeReports(): boolean {
    let taken = 0;
    for (let record = this.#reports.read(); record !== undefined; record = this.#reports.read()) {
      const report = this.#parse(record);
      this.#opened.add(report, repeatsOf(report));
      if (this.#rollup.admits(report)) this.#log.write(report);
      if (++taken === MOST_REPORTS_IN_BATCH) break;
    }
    if (taken === 0) return false;
    this.#log.flush();
    this.#reports.release();
    return taken === MOST_REPORTS_IN_BATCH;
  }

  #parse({ kind, bytes }: RingRecord): ErrorReport {
    const report = JSON.parse(Buffer.from(bytes).toString('utf8')) as ErrorReport;
    if (kind !== LogRecord.RAW_REPORT) return report;
    return {
      ...report,
      message: this.#redactor.text(report.message),
      traceback: report.traceback === null ? null : this.#redactor.text(report.traceback),
      context: this.#redactor.value(report.context) as ErrorReport['context'],
    };
  }

  /** One group commit. True: there may be more. A group that cannot be written stays in the ring. */
  #takeLetters(): boolean {
    if (!this.#letterRing.hasNext || systemClock.elapsed() < this.#retryAt) return false;
    const group: { header: LetterHeader; payload: Uint8Array }[] = [];
    while (group.length < MOST_IN_GROUP) {
      const record = this.#letterRing.read();
      if (record === undefined) break;
      group.push(parseRecord(record.bytes));
    }
    try {
      this.#letters.add(group);
      Atomics.store(this.#status, Status.FAILING, 0);
    } catch (error) {
      this.#noteFailure(error);
      Atomics.store(this.#status, Status.FAILING, 1);
      this.#retryAt = systemClock.elapsed() + RETRY_MS;
      this.#letterRing.rewind();
      this.#mainBell.ring();
      return false;
    }
    for (let count = 0; count < group.length; count++) this.#letterRing.countSuccess();
    this.#letterRing.release();
    this.#showLetters();
    this.#mainBell.ring();
    return group.length === MOST_IN_GROUP;
  }

  #keepHouse(all: boolean): void {
    this.#nextHousekeeping = systemClock.elapsed() + HOUSEKEEPING_MS;
    const now = this.#seconds();
    for (const line of this.#rollup.take(now, all)) this.#log.write(line);
    const trouble = this.#troubles.take(now);
    if (trouble !== undefined) this.#log.write(trouble);
    this.#log.flush();
    try {
      if (this.#letters.retire(now) > 0) this.#showLetters();
      this.#opened.save(now);
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  #seconds(): number {
    return this.#clock.now() / 1000;
  }

  #showLetters(): void {
    Atomics.store(this.#status, Status.LETTERS, this.#letters.size);
  }

  /** The disk failed: counted, so that health can say so, and told in the log once that can be written again. */
  #noteFailure(error: unknown): void {
    Atomics.add(this.#status, Status.FAILED_WRITES, 1);
    this.#troubles.add(error, this.#seconds());
  }
}

/** A report may stand for several that found no room. */
function repeatsOf(report: ErrorReport): number {
  const { repeats } = report.context as { repeats?: unknown };
  return typeof repeats === 'number' && repeats > 0 ? repeats : 1;
}

/** The header's length, the header as JSON, the payload. */
function parseRecord(bytes: Uint8Array): { header: LetterHeader; payload: Uint8Array } {
  const buffer = Buffer.from(bytes);
  const length = buffer.readUInt32LE(0);
  const header = JSON.parse(buffer.toString('utf8', 4, 4 + length)) as LetterHeader;
  return { header, payload: buffer.subarray(4 + length) };
}
