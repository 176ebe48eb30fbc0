// Error reports on their way to the log: in full while they fit, counted when they repeat others or find no room.
import { nanoid } from 'nanoid';
import type { Clock, Timer } from '../shared/clock.js';
import type { Doorbell } from '../shared/doorbell.js';
import { peek } from '../shared/hostile.js';
import { createRedactor } from '../shared/redact.js';
import { type ErrorReport, isRepeats } from '../shared/report.js';
import type { RingWriter } from '../shared/ring.js';
import { Repeats } from './repeats.js';
import { ReportBatch } from './report-batch.js';

/** What is only counted is told once in this time, in milliseconds. */
const TELL_MS = 1000;
/** What is to follow is called when the synchronous code that runs has ended. */
const RUN_ENDS = Promise.resolve();
/** Signatures whose lost reports are counted apart. */
const MOST_SIGNATURES = 100;

interface Lost {
  /** The first of them, with a plain copy of its context: a program's own may throw when it is read. */
  readonly report: ErrorReport;
  readonly isRedacted: boolean;
  count: number;
}

/** Runs on the main thread. Never blocks. */
export class ReportQueue {
  readonly #batch: ReportBatch;
  readonly #bell: Doorbell;
  readonly #clock: Clock;
  readonly #repeats = new Repeats();
  readonly #redactor = createRedactor();
  readonly #lostOf = new Map<string, Lost>();
  /** Lost and not told, of no signature. */
  #others = 0;
  #timer: Timer | undefined;
  /** One has gone in this run of synchronous code. */
  #isGathering = false;
  /** Reports that found no room, or were none. */
  lost = 0;

  constructor(ring: RingWriter, bell: Doorbell, clock: Clock) {
    this.#batch = new ReportBatch(ring);
    this.#bell = bell;
    this.#clock = clock;
  }

  /**
   * False: no room; it is counted. The first of a run of synchronous code goes at once; those that follow go together when
   * the run ends, or they are enough: sending costs as much for many as for one.
   *
   * @param isRedacted false: a program's own report, which the worker redacts
   * @param key see {@link repeated}
   */
  add(report: ErrorReport, isRedacted: boolean, key: string): boolean {
    if (key !== '') this.#repeats.add(key, report);
    this.#tellOthers(report);
    if (this.#batch.add(report, isRedacted)) {
      this.#sendSoon();
      return true;
    }
    this.#lose(report, isRedacted);
    return false;
  }

  /** One that was handed in is no report. The next report tells. */
  countLost(): void {
    this.lost++;
    this.#others++;
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
    if (report !== undefined) this.#tellLater();
    return report;
  }

  /** Hands over what was only counted: one report for each kind, which says how many it stands for. */
  tell(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const report of this.#repeats.take()) this.add(report, true, '');
    for (const [signature, { report, isRedacted, count }] of this.#lostOf) {
      const all = { ...report, error_id: nanoid(), context: { ...report.context, repeats: count } };
      const isTold = this.#batch.add(all, isRedacted);
      if (!isTold && !this.#batch.wasTooLarge) {
        this.#tellLater();
        break;
      }
      this.#lostOf.delete(signature);
      if (isTold) continue;
      this.#others += count;
      this.#tellOthers(report);
    }
    this.#send();
  }

  /** @param like a report like them */
  #tellOthers(like: ErrorReport): void {
    if (this.#others > 0 && this.#batch.add(lossReport(like, this.#others), true)) this.#others = 0;
  }

  #sendSoon(): void {
    if (this.#isGathering) {
      if (this.#batch.isFull) this.#send();
      return;
    }
    this.#isGathering = true;
    this.#send();
    void RUN_ENDS.then(this.#runEnded);
  }

  readonly #runEnded = (): void => {
    this.#isGathering = false;
    this.#send();
  };

  #send(): void {
    if (this.#batch.send()) this.#bell.ring();
  }

  #lose(report: ErrorReport, isRedacted: boolean): void {
    const repeats = peek(report.context, 'repeats');
    const signature = peek(report.context, 'signature');
    const count = isRepeats(repeats) ? repeats : 1;
    this.lost += count;
    const known = typeof signature === 'string' ? this.#lostOf.get(signature) : undefined;
    if (known !== undefined) known.count += count;
    else if (typeof signature === 'string' && signature !== '' && this.#lostOf.size < MOST_SIGNATURES) {
      this.#lostOf.set(signature, { report: { ...report, context: this.#plain(report.context) }, isRedacted, count });
    } else this.#others += count;
    this.#tellLater();
  }

  #plain(context: ErrorReport['context']): ErrorReport['context'] {
    const plain = this.#redactor.value(context);
    // Of what cannot be read there is a text.
    return typeof plain === 'object' ? { ...plain } : {};
  }

  #tellLater(): void {
    this.#timer ??= this.#clock.after(TELL_MS, () => this.tell());
  }
}

/** @param like of its kind */
function lossReport(like: ErrorReport, repeats: number): ErrorReport {
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
