// The logging worker's work: empties the two rings onto the disk, in batches.
import { type Clock, systemClock, type Timer } from '../../src/shared/clock.js';
import { Doorbell } from '../../src/shared/doorbell.js';
import { type LoggingStart, type OpenResult, Status } from '../../src/shared/logging-task.js';
import { createRedactor } from '../../src/shared/redact.js';
import type { ErrorReport } from '../../src/shared/report.js';
import { ArrivingLetters } from './arriving-letters.js';
import { ArrivingReports, repeatsOf } from './arriving-reports.js';
import { Erasure } from './erasure.js';
import { ErrorLog } from './error-log.js';
import { Folder } from './folder.js';
import { FolderLock } from './folder-lock.js';
import { Letters } from './letters.js';
import { Rollup } from './rollup.js';
import { Segments } from './segments.js';
import { Statistics } from './statistics.js';
import { SteadyTime } from './steady-time.js';
import { Troubles } from './troubles.js';
import { Upkeep } from './upkeep.js';

const MOST_REPORTS_IN_BATCH = 256;
/** Between writes of the metrics file, and looks at limits, in milliseconds. */
const HOUSEKEEPING_MS = 1000;
/** Between looks at all letters, not only at the oldest, in milliseconds. */
const WHOLE_LOOK_MS = 60_000;
/** What is left of letters that are gone is erased for so long at the end, in milliseconds; the next start goes on. */
const LAST_ERASURE_MS = 5000;
/** Before a disk that failed is tried again, in milliseconds. */
const RETRY_MS = 500;

/** After the folder was opened, in milliseconds. */
const PREPARES_AFTER_MS = 1000;

/** Belongs to the logging worker. */
export class Keeper {
  readonly #reports: ArrivingReports;
  readonly #arriving: ArrivingLetters;
  readonly #bell: Doorbell;
  readonly #mainBell: Doorbell;
  readonly #status: Int32Array;
  readonly #folder: Folder;
  readonly #start: LoggingStart;
  readonly #clock: Clock;
  readonly #log: ErrorLog;
  readonly #rollup = new Rollup();
  readonly #troubles = new Troubles();
  readonly letters: Letters;
  readonly #segments: Segments;
  readonly #upkeep: Upkeep;
  #statistics: Statistics | undefined;
  /** What letters age by. */
  #age: SteadyTime | undefined;
  #nextWholeLook = 0;
  #isClosing = false;
  /** Of the log, which loads what it writes with. */
  #preparing: Timer | undefined;
  #hasFailed = false;
  #retryAt = 0;
  #nextHousekeeping = 0;

  /** @param clock of reports and letters; when to try again is a matter of real time */
  constructor(start: LoggingStart, clock: Clock) {
    this.#start = start;
    this.#clock = clock;
    this.#reports = new ArrivingReports(
      start.reports,
      createRedactor(start.redact),
      (report) => this.#takeReport(report),
      (error) => {
        Atomics.add(this.#status, Status.CORRUPT_LINES, 1);
        this.#noteFailure(error);
      },
    );
    this.#arriving = new ArrivingLetters(start.letters);
    this.#bell = new Doorbell(start.bell);
    this.#mainBell = new Doorbell(start.mainBell);
    this.#status = new Int32Array(start.status);
    const lock = new FolderLock(start.folder, start, (error) => this.#lostFolder(error));
    this.#folder = new Folder(start.folder, lock);
    this.#log = new ErrorLog(start.folder, start.limits, clock.now, (error, lost) => {
      this.#noteFailure(error);
      Atomics.add(this.#status, Status.LOST_LINES, lost);
    });
    this.#segments = new Segments(start.letterFolder, clock.now);
    const erasure = new Erasure(this.#segments);
    this.letters = new Letters(this.#segments, erasure, start.limits);
    this.#upkeep = new Upkeep(this.letters, this.#segments, erasure);
  }

  async open(): Promise<OpenResult> {
    const result = await this.#folder.open(this.#start.letterFolder);
    if (!result.ok) return result;
    try {
      this.#restore();
    } catch (error) {
      await this.#folder.close();
      const message = `log folder ${this.#start.folder} cannot be read: ${(error as Error).message}`;
      return { ok: false, code: 'BUSBAR_LOG_FOLDER', message };
    }
    this.#preparing = systemClock.after(PREPARES_AFTER_MS, () => this.#log.prepare());
    void this.#run();
    return result;
  }

  #restore(): void {
    this.#folder.makePrivate(this.#start.letterFolder);
    const damage = this.letters.restore(new Set(this.#start.replaying));
    this.#statistics = new Statistics(this.#start.folder, this.#log.restore(damage));
    const now = this.seconds();
    const last = Math.max(this.letters.index.latest(now), this.#statistics.lastUpdated);
    this.#age = new SteadyTime(this.#clock, Number.isFinite(last) ? last : now);
    const aside = this.#folder.setAside + this.#statistics.damaged;
    Atomics.add(this.#status, Status.CORRUPT_LINES, damage.corruptLines + aside);
    Atomics.add(this.#status, Status.TORN_TAILS, damage.tornTails);
    this.showLetters();
    const { notPrivate } = this.#folder;
    if (notPrivate.length > 0) this.#log.write(this.#troubles.notPrivate(notPrivate, this.seconds()));
  }

  /** Writes everything, and gives the folder back. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#preparing?.cancel();
    this.#bell.ring();
    this.#retryAt = 0;
    this.takeAll();
    this.keepHouse(true);
    const deadline = systemClock.elapsed() + LAST_ERASURE_MS;
    this.#tidyUp(() => this.#upkeep.compact());
    while (this.#tidyUp(() => this.#upkeep.erase()) && systemClock.elapsed() < deadline);
    this.#log.close();
    this.#segments.close();
    await this.#folder.close();
  }

  get statistics(): Statistics {
    if (this.#statistics === undefined) throw new Error('the logging worker is not open');
    return this.#statistics;
  }

  async #run(): Promise<void> {
    while (!this.#isClosing) {
      const more = this.#takeReports() || this.#takeLetters();
      if (systemClock.elapsed() >= this.#nextHousekeeping || this.letters.isFarBeyond) this.keepHouse(false);
      const isTidying = this.#tidyUp(() => this.#upkeep.compact() || (!more && this.#upkeep.erase()));
      // Queries come as messages: they need turns of the event loop, also while there is much to do.
      if (more || isTidying) await new Promise<void>((resume) => setImmediate(resume));
      else await this.#bell.sleep(() => this.#isClosing || this.#hasWork(), HOUSEKEEPING_MS);
    }
  }

  /** One step. True: there is more to do. */
  #tidyUp(step: () => boolean): boolean {
    if (systemClock.elapsed() < this.#retryAt) return false;
    try {
      return step();
    } catch (error) {
      this.#noteFailure(error);
      this.#retryAt = systemClock.elapsed() + RETRY_MS;
      return false;
    }
  }

  #hasWork(): boolean {
    return this.#reports.hasNext || (this.#arriving.hasNext && systemClock.elapsed() >= this.#retryAt);
  }

  /** Empties both rings. */
  takeAll(): void {
    while (this.#takeReports());
    while (this.#takeLetters());
  }

  /** True: there may be more. */
  #takeReports(): boolean {
    const taken = this.#reports.take(MOST_REPORTS_IN_BATCH);
    if (taken === 0) return false;
    this.#flushLog();
    this.#reports.release();
    return taken >= MOST_REPORTS_IN_BATCH;
  }

  #takeReport(report: ErrorReport): void {
    this.statistics.add(report, repeatsOf(report), this.seconds());
    if (this.#rollup.admits(report, this.#clock.elapsed() / 1000)) this.#log.write(report);
  }

  /** One group commit. True: there may be more. A group that cannot be written stays in the ring, and half of it is tried. */
  #takeLetters(): boolean {
    if (!this.#arriving.hasNext || systemClock.elapsed() < this.#retryAt) return false;
    try {
      this.letters.add(this.#arriving.gather());
      Atomics.store(this.#status, Status.FAILING, 0);
    } catch (error) {
      this.#noteFailure(error);
      if (this.#arriving.rewind()) return true;
      Atomics.store(this.#status, Status.FAILING, 1);
      this.#retryAt = systemClock.elapsed() + RETRY_MS;
      this.#mainBell.ring();
      return false;
    }
    this.#arriving.release();
    this.showLetters();
    this.#mainBell.ring();
    return this.#arriving.hasNext;
  }

  /** What is due: lines that roll up others, limits, the metrics file. `all`: also what is not due yet. */
  keepHouse(all: boolean): void {
    this.#nextHousekeeping = systemClock.elapsed() + HOUSEKEEPING_MS;
    const now = this.seconds();
    for (const line of this.#rollup.take(this.#clock.elapsed() / 1000, all)) this.#log.write(line);
    const trouble = this.#troubles.take(now);
    if (trouble !== undefined) this.#log.write(trouble);
    this.#flushLog();
    try {
      this.#retire(now);
      this.statistics.save(now);
    } catch (error) {
      this.#noteFailure(error);
    }
    this.#noteRecovery();
  }

  /** Nothing has failed since the last housekeeping, and nothing waits for the disk. */
  #noteRecovery(): void {
    const isFailing = Atomics.load(this.#status, Status.FAILING) + Atomics.load(this.#status, Status.LOG_FAILING) > 0;
    if (!this.#hasFailed && !isFailing) Atomics.store(this.#status, Status.FAILING_SINCE, 0);
    this.#hasFailed = false;
  }

  #flushLog(): void {
    Atomics.store(this.#status, Status.LOG_FAILING, this.#log.flush() ? 0 : 1);
  }

  /** Since 1970. */
  seconds(): number {
    return this.#clock.now() / 1000;
  }

  /** Puts what health shows into shared memory. */
  showLetters(): void {
    Atomics.store(this.#status, Status.LETTERS, this.letters.index.size);
    Atomics.add(this.#status, Status.CORRUPT_LINES, this.letters.damaged);
    this.letters.damaged = 0;
  }

  #retire(now: number): void {
    const isWholeLook = systemClock.elapsed() >= this.#nextWholeLook;
    if (isWholeLook) this.#nextWholeLook = systemClock.elapsed() + WHOLE_LOOK_MS;
    const age = this.#age?.now() ?? now;
    const { count, bytes, age: aged } = this.letters.retire(now, age, isWholeLook);
    if (count + bytes + aged === 0) return;
    this.showLetters();
    this.#log.write(this.#troubles.retired(count, bytes, aged, now));
  }

  /** The folder was deleted under us. */
  #remake(): void {
    try {
      this.#folder.make(this.#start.letterFolder);
    } catch {
      // Counted with the failure that led here.
    }
  }

  /**
   * The lock is no longer ours: the folder was deleted, or this process stood still so long that another one took it.
   * This worker ends; the next one locks the folder and reads it again, or waits until it can.
   */
  #lostFolder(error: unknown): void {
    this.#noteFailure(error);
    this.#flushLog();
    process.exit(1);
  }

  /** The disk failed: counted, so that health can say so, and told in the log once that can be written again. */
  #noteFailure(error: unknown): void {
    if ((error as { code?: unknown }).code === 'ENOENT') this.#remake();
    Atomics.add(this.#status, Status.FAILED_WRITES, 1);
    this.#hasFailed = true;
    Atomics.compareExchange(this.#status, Status.FAILING_SINCE, 0, this.seconds() >>> 0);
    this.#troubles.add(error, this.seconds());
  }
}
