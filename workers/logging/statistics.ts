// Totals of the error log: kept in memory, written to error_metrics.json, read again at the next start.
import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ErrorCounters } from '../../src/shared/error-counters.js';
import type { ErrorFilter, ErrorStatistics } from '../../src/shared/logging-task.js';
import type { ErrorReport } from '../../src/shared/report.js';
import { RecentReports } from './recent-reports.js';
import { FILE_MODE, moveAside } from './repair.js';

const NAME = 'error_metrics.json';
const MOST_RECENT = 1000;
const RECENT_IN_FILE = 100;
const DEFAULT_LIMIT = 100;

/** Belongs to the logging worker. Times in seconds since 1970. */
export class Statistics {
  readonly #path: string;
  readonly #counters = new ErrorCounters();
  readonly #recent = new RecentReports();
  /** Of the last ones what the metrics file says, oldest first. */
  readonly #inFile: Pick<ErrorReport, 'category' | 'severity' | 'timestamp' | 'component'>[] = [];
  #isChanged = false;
  /** When the file of an earlier start was written; -Infinity: there was none. */
  lastUpdated = Number.NEGATIVE_INFINITY;
  /** 1: the file of an earlier start was damaged, and is set aside. */
  damaged: 0 | 1 = 0;

  /** @param history reports of earlier starts, oldest first */
  constructor(folder: string, history: readonly ErrorReport[]) {
    this.#path = join(folder, NAME);
    for (const report of history.slice(-MOST_RECENT)) this.#remember(report);
    this.#recent.pack();
    this.#load();
  }

  /** @param now when it came: what programs hand in may say anything about its time */
  add(report: ErrorReport, count: number, now: number): void {
    this.#isChanged = true;
    this.#counters.add(report, count, now);
    this.#remember(report);
  }

  #remember(report: ErrorReport): void {
    this.#recent.add(report);
    const { category, severity, timestamp, component } = report;
    this.#inFile.push({ category, severity, timestamp, component });
    if (this.#inFile.length > RECENT_IN_FILE) this.#inFile.shift();
  }

  /** The newest first. */
  recent(filter: ErrorFilter): ErrorReport[] {
    const { category, severity, topic, subscriberId, since, limit = DEFAULT_LIMIT } = filter;
    const found: ErrorReport[] = [];
    for (const report of this.#recent.newestFirst()) {
      if (found.length >= limit) break;
      const isWanted =
        (category === undefined || report.category === category) &&
        (severity === undefined || report.severity === severity) &&
        (topic === undefined || report.context.topic === topic) &&
        (subscriberId === undefined || report.context.subscriber_id === subscriberId) &&
        (since === undefined || report.timestamp >= since);
      if (isWanted) found.push(report);
    }
    return found;
  }

  summary(now: number): ErrorStatistics {
    return this.#counters.summary(now);
  }

  /**
   * Replaces the metrics file as a whole, if there is news.
   *
   * @throws what the disk throws
   */
  save(now: number): void {
    this.#recent.pack();
    if (!this.#isChanged) return;
    const { total, categories, severities, recoveriesTried, recoveriesDone } = this.#counters;
    const metrics = {
      total_errors: total,
      error_counts_by_category: categories,
      error_counts_by_severity: severities,
      recoveries_tried: recoveriesTried,
      recoveries_done: recoveriesDone,
      last_updated: now,
      recent_errors: this.#inFile,
    };
    const temporary = `${this.#path}.tmp`;
    rmSync(temporary, { recursive: true, force: true });
    writeFileSync(temporary, JSON.stringify(metrics), { mode: FILE_MODE, flush: true });
    renameSync(temporary, this.#path);
    this.#isChanged = false;
  }

  /** What was counted before this start; nothing when it is damaged. Throws what the disk throws: then nothing is known. */
  #load(): void {
    const there = lstatSync(this.#path, { throwIfNoEntry: false });
    if (there === undefined) return;
    const metrics = there.isFile() ? metricsOf(readFileSync(this.#path, 'utf8')) : undefined;
    if (metrics === undefined) {
      this.damaged = 1;
      moveAside(this.#path);
      return;
    }
    if (typeof metrics['last_updated'] === 'number') this.lastUpdated = metrics['last_updated'];
    this.#counters.total = countOf(metrics['total_errors']);
    this.#counters.recoveriesTried = countOf(metrics['recoveries_tried']);
    this.#counters.recoveriesDone = countOf(metrics['recoveries_done']);
    restore(this.#counters.categories, metrics['error_counts_by_category']);
    restore(this.#counters.severities, metrics['error_counts_by_severity']);
  }
}

function metricsOf(text: string): Record<string, unknown> | undefined {
  try {
    const metrics: unknown = JSON.parse(text);
    return typeof metrics === 'object' && metrics !== null ? (metrics as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function restore(target: Record<string, number>, saved: unknown): void {
  if (typeof saved !== 'object' || saved === null) return;
  for (const name of Object.keys(target)) target[name] = countOf((saved as Record<string, unknown>)[name]);
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;
}
