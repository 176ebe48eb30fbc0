// The files that dead letters lie in: append-only segments, each line of them found again by file and offset.
import {
  appendFileSync,
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { FILE_MODE } from './folder.js';

const SEGMENT = /^dlq_\d{8}T\d{9}Z_\d+\.json$/;
const LARGEST_SEGMENT_BYTES = 16 * 1024 * 1024;

/** Where a line lies. */
export interface Place {
  readonly segment: string;
  readonly offset: number;
  readonly length: number;
}

/** What reading all segments found wrong. */
export interface Damage {
  corruptLines: number;
  tornTails: number;
}

/** Belongs to the logging worker. Methods throw what the disk throws, unless they say otherwise. */
export class Segments {
  readonly #folder: string;
  readonly #now: () => number;
  #current: { name: string; file: number; bytes: number } | undefined;
  #made = 0;

  /** @param now milliseconds since 1970 */
  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /**
   * Reads every line of every segment, oldest first. A torn tail is cut off; a line that `take` refuses goes to
   * `<segment>.corrupt`. Files that are no segments are left alone.
   */
  restore(take: (line: string, place: Place) => boolean): Damage {
    const damage: Damage = { corruptLines: 0, tornTails: 0 };
    for (const name of this.#names()) {
      try {
        this.#restoreOne(name, take, damage);
      } catch {
        // A folder in its place, or a file that cannot be read: nothing of it can be kept, and the rest must be.
        damage.corruptLines++;
      }
    }
    return damage;
  }

  /** Appends lines and brings them to the disk: when this returns they survive a power cut. One fsync for all. */
  append(lines: readonly string[]): Place[] {
    const buffers = lines.map((line) => Buffer.from(line));
    const batch = Buffer.concat(buffers);
    const current = this.#open(batch.length);
    const start = current.bytes;
    try {
      for (let written = 0; written < batch.length; ) written += writeSync(current.file, batch, written);
      fdatasyncSync(current.file);
    } catch (error) {
      this.#cutBack(start);
      throw error;
    }
    current.bytes += batch.length;
    let offset = start;
    return buffers.map(({ length }) => {
      const place = { segment: current.name, offset, length };
      offset += length;
      return place;
    });
  }

  /** The text of one line. */
  read({ segment, offset, length }: Place): string {
    const file = openSync(join(this.#folder, segment), 'r');
    try {
      const bytes = Buffer.allocUnsafe(length);
      const read = readSync(file, bytes, 0, length, offset);
      return bytes.toString('utf8', 0, read);
    } finally {
      closeSync(file);
    }
  }

  /** Deletes a segment. False: it is the one that is written now. */
  remove(segment: string): boolean {
    if (segment === this.#current?.name) return false;
    rmSync(join(this.#folder, segment), { force: true });
    return true;
  }

  removeAll(): void {
    this.close();
    for (const name of this.#names()) rmSync(join(this.#folder, name), { force: true, recursive: true });
  }

  close(): void {
    if (this.#current !== undefined) closeSync(this.#current.file);
    this.#current = undefined;
  }

  #names(): string[] {
    const order = (name: string): number => Number.parseInt(name.split('_')[2] ?? '', 10);
    return readdirSync(this.#folder)
      .filter((name) => SEGMENT.test(name))
      .sort((a, b) => (a.slice(0, 23) === b.slice(0, 23) ? order(a) - order(b) : a < b ? -1 : 1));
  }

  #restoreOne(name: string, take: (line: string, place: Place) => boolean, damage: Damage): void {
    const path = join(this.#folder, name);
    const bytes = readFileSync(path);
    let offset = 0;
    for (let end = bytes.indexOf(10, offset); end >= 0; end = bytes.indexOf(10, offset)) {
      const line = bytes.toString('utf8', offset, end);
      const length = end + 1 - offset;
      if (line !== '' && !take(line, { segment: name, offset, length })) {
        appendFileSync(`${path}.corrupt`, bytes.subarray(offset, end + 1), { mode: FILE_MODE });
        damage.corruptLines++;
      }
      offset = end + 1;
    }
    if (offset === bytes.length) return;
    damage.tornTails++;
    const file = openSync(path, 'r+');
    try {
      ftruncateSync(file, offset);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** The segment to write to: a new one when there is none, or no room, or it was taken away. */
  #open(bytes: number): { name: string; file: number; bytes: number } {
    const current = this.#current;
    if (current !== undefined) {
      const isThere = statSync(join(this.#folder, current.name), { throwIfNoEntry: false }) !== undefined;
      if (isThere && current.bytes + bytes <= LARGEST_SEGMENT_BYTES) return current;
      this.close();
    }
    const utc = new Date(this.#now()).toISOString().replace(/[-:.]/g, '');
    for (;;) {
      const name = `dlq_${utc}_${this.#made++}.json`;
      try {
        const file = openSync(join(this.#folder, name), 'ax', FILE_MODE);
        this.#current = { name, file, bytes: 0 };
        this.#syncFolder();
        return this.#current;
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
      }
    }
  }

  /** A new file survives a power cut only once its folder is on the disk, too. Not every system can do that. */
  #syncFolder(): void {
    try {
      const folder = openSync(this.#folder, 'r');
      fsyncSync(folder);
      closeSync(folder);
    } catch (error) {
      if (process.platform !== 'win32') throw error;
    }
  }

  /** After a write that failed half-way: the next one must not continue a torn line. */
  #cutBack(bytes: number): void {
    try {
      if (this.#current !== undefined) ftruncateSync(this.#current.file, bytes);
    } catch {
      this.close();
    }
  }
}
