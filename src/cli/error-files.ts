// The error log as files: read from its newest line back, or followed as it grows. Nothing is written, and no lock is needed.
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../shared/clock.js';
import type { ErrorReport } from '../shared/report.js';

const NAME = 'message_bus_errors.json';
const ROTATED = /^message_bus_errors_\d{8}T\d{9}Z_\d+\.json$/;

const CHUNK_BYTES = 64 * 1024;
/** A longer line is no report of ours. */
const MOST_LINE_BYTES = 4 * 1024 * 1024;
const POLL_MS = 200;

/** What a line says, if it is a report: the files are ours, but not everybody who can write them is. */
function parseReport(line: string): ErrorReport | undefined {
  try {
    const report = JSON.parse(line) as Partial<ErrorReport> | null;
    const texts = [report?.error_id, report?.category, report?.severity, report?.message, report?.exception_type];
    const isReport =
      [...texts, report?.component].every((text) => typeof text === 'string') && typeof report?.timestamp === 'number';
    return isReport && typeof report.context === 'object' && report.context !== null
      ? (report as ErrorReport)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reports from the newest to the oldest, through all rotated files.
 *
 * @param onDamaged told of each line that is passed over, for it is none
 */
export function* newestReports(folder: string, onDamaged: () => void = () => undefined): Generator<ErrorReport> {
  for (const name of [NAME, ...rotatedNames(folder).reverse()]) {
    for (const line of linesBackwards(join(folder, name))) {
      const report = parseReport(line);
      if (report === undefined) onDamaged();
      else yield report;
    }
  }
}

/** From the last line to the first, a chunk at a time. A last line without an end is not finished, and left out. */
function* linesBackwards(path: string): Generator<string> {
  const file = openIfThere(path);
  if (file === undefined) return;
  try {
    let tail: Buffer = Buffer.alloc(0);
    let isFirst = true;
    for (let end = fstatSync(file).size; end > 0; ) {
      const start = Math.max(0, end - CHUNK_BYTES);
      const chunk = Buffer.alloc(end - start);
      const read = readSync(file, chunk, 0, chunk.length, start);
      const text = Buffer.concat([chunk.subarray(0, read), tail.subarray(0, MOST_LINE_BYTES)]);
      let stop = text.length;
      for (let cut = text.lastIndexOf(10); cut !== -1; cut = cut === 0 ? -1 : text.lastIndexOf(10, cut - 1)) {
        if (!isFirst && stop > cut + 1) yield text.toString('utf8', cut + 1, stop);
        isFirst = false;
        stop = cut;
      }
      tail = text.subarray(0, stop);
      end = start;
    }
    if (!isFirst && tail.length > 0) yield tail.toString('utf8');
  } finally {
    closeSync(file);
  }
}

/**
 * Calls `take` for each report that comes from now on, through rotations, until the process ends. Rejects when the folder
 * cannot be read any more.
 */
export function followReports(folder: string, take: (report: ErrorReport) => void): Promise<never> {
  const first = openIfThere(join(folder, NAME));
  let reader = first === undefined ? undefined : new Reader(first, fstatSync(first).size, take);
  const look = (): void => {
    reader?.read();
    for (const name of namesAfter(folder, reader?.inode)) {
      const file = openIfThere(join(folder, name));
      if (file === undefined) continue;
      // What was still written to the last one after it was read, before it was rotated.
      reader?.read();
      reader?.close();
      reader = new Reader(file, 0, take);
      reader.read();
    }
  };
  return new Promise((_, reject) => {
    const timer = systemClock.every(
      POLL_MS,
      () => {
        try {
          look();
        } catch (error) {
          timer.cancel();
          reject(error);
        }
      },
      true,
    );
  });
}

/** The files younger than the one of this inode; all where that is gone, or there was none. */
function namesAfter(folder: string, inode: number | undefined): string[] {
  const inodeOf = (name: string): number | undefined => statSync(join(folder, name), { throwIfNoEntry: false })?.ino;
  if (inode !== undefined && inodeOf(NAME) === inode) return [];
  const names = [...rotatedNames(folder), NAME];
  return names.slice(names.findIndex((name) => inodeOf(name) === inode) + 1);
}

/** The oldest first: the time is in their names. */
function rotatedNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => ROTATED.test(name))
    .sort();
}

/** Reads one file on, from where it was read to. */
class Reader {
  readonly inode: number;
  readonly #file: number;
  readonly #take: (report: ErrorReport) => void;
  #position: number;
  #unfinished = '';

  constructor(file: number, position: number, take: (report: ErrorReport) => void) {
    this.#file = file;
    this.#position = position;
    this.#take = take;
    this.inode = fstatSync(file).ino;
  }

  read(): void {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const bytes = readSync(this.#file, chunk, 0, chunk.length, this.#position);
      if (bytes === 0) return;
      this.#position += bytes;
      // Latin-1 keeps each byte, so that no character is torn where a chunk ends.
      const lines = (this.#unfinished + chunk.toString('latin1', 0, bytes)).split('\n');
      this.#unfinished = (lines.pop() as string).slice(0, MOST_LINE_BYTES);
      for (const line of lines) {
        const report = parseReport(Buffer.from(line, 'latin1').toString('utf8'));
        if (report !== undefined) this.#take(report);
      }
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
