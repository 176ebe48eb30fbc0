// The files that dead letters lie in: append-only segments, each line of them found again by file and offset.
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { LETTER_FILE } from '../../src/shared/letter-text.js';
import type { LineBatch } from './line-batch.js';
import { type Damage, FILE_MODE, keepDamage, type LineCheck, type ReadingRoom, readGoodLines } from './repair.js';
import { isSealed } from './sealed-line.js';

const SET_ASIDE = /^dlq_\d{8}T\d{9}Z_\d{1,9}\.json(\.\d{1,3})?\.corrupt$/;
const LARGEST_SEGMENT_BYTES = 16 * 1024 * 1024;

/** Where a line lies; `length` is without the line's end. Segments are numbered in the order of time. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

interface Segment {
  readonly name: string;
  bytes: number;
}

interface Current {
  readonly number: number;
  readonly segment: Segment;
  readonly file: number;
  readonly inode: number;
}

/** Belongs to the logging worker. Methods throw what the disk throws, unless they say otherwise. */
export class Segments {
  readonly #folder: string;
  readonly #now: () => number;
  /** By number, oldest first. */
  readonly #segments = new Map<number, Segment>();
  #numbers = 0;
  /** The one that is written now; it has the highest number. */
  #current: Current | undefined;
  #made = 0;
  /** Kept open for reading: letters are read in runs from one segment. */
  #reading: { readonly number: number; readonly file: number } | undefined;
  /** Bytes of all segments. */
  bytes = 0;

  /** @param now milliseconds since 1970 */
  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /** The number of the oldest segment that is not written any more, or undefined. */
  get oldest(): number | undefined {
    for (const number of this.#segments.keys()) return number === this.#current?.number ? undefined : number;
    return undefined;
  }

  /**
   * Reads every line of every segment, oldest first: `take` makes sense of a sealed one, or returns false. What is damaged,
   * or makes no sense, is set aside; see {@link readGoodLines}. Files of other names are left alone.
   *
   * @param moved lines of a segment lie elsewhere now than `take` was told: from offset to offset
   */
  restore(
    take: (bytes: Buffer, place: Place) => boolean,
    moved: (segment: number, offsets: ReadonlyMap<number, number>) => void,
  ): Damage {
    const damage: Damage = { corruptLines: 0, tornTails: 0 };
    const room: ReadingRoom = { bytes: Buffer.alloc(0) };
    for (const name of this.#names()) {
      const path = join(this.#folder, name);
      const segment = this.#numbers++;
      const taken: number[] = [];
      const isGood: LineCheck = (bytes, start, end) =>
        isSealed(bytes, start, end) &&
        take(bytes, { segment, offset: start, length: end - start }) &&
        taken.push(start) > 0;
      const { bytes, spans } = readGoodLines(path, isGood, damage, room);
      if (spans.length === 0) {
        if (bytes.length === 0) rmSync(path, { force: true });
        continue;
      }
      this.#segments.set(segment, { name, bytes: bytes.length });
      this.bytes += bytes.length;
      const isMoved = taken.some((offset, line) => spans[line * 2] !== offset);
      if (isMoved) moved(segment, new Map(taken.map((offset, line) => [offset, spans[line * 2] as number])));
    }
    return damage;
  }

  /** Appends lines and brings them to the disk: when this returns they survive a power cut. One fsync for all. */
  append({ bytes: batch, starts }: LineBatch): Place[] {
    const { segment, number, file } = this.#open(batch.length);
    const start = segment.bytes;
    try {
      for (let written = 0; written < batch.length; ) written += writeSync(file, batch, written);
      fdatasyncSync(file);
    } catch (error) {
      this.#cutBack(start);
      throw error;
    }
    segment.bytes += batch.length;
    this.bytes += batch.length;
    return starts.map((at, line) => {
      const end = starts[line + 1] ?? batch.length;
      return { segment: number, offset: start + at, length: end - 1 - at };
    });
  }

  /** The bytes of one line as they are now, damaged or not; fewer where the file ends before them. */
  read({ segment, offset, length }: Place): Buffer {
    const file = this.#openToRead(segment);
    const bytes = Buffer.allocUnsafe(length);
    let read = 0;
    for (let more = -1; more !== 0 && read < length; read += more) {
      more = readSync(file, bytes, read, length - read, offset + read);
    }
    return bytes.subarray(0, read);
  }

  /**
   * Writes over lines of one segment, each with one of the same length, and brings them to the disk. Lines of a segment that
   * was taken away are gone already.
   */
  overwrite(number: number, places: readonly Place[], { bytes, starts }: LineBatch): void {
    const path = join(this.#folder, this.#nameOf(number));
    if (!existsSync(path)) return;
    // Opened anew: what was opened for appending writes at the end, wherever it is told to.
    const file = openSync(path, 'r+');
    try {
      places.forEach(({ offset, length }, line) => {
        const start = starts[line] as number;
        for (let written = 0; written < length; ) {
          written += writeSync(file, bytes, start + written, length - written, offset + written);
        }
      });
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** Keeps what was found in place of a line beside its segment, in `<segment>.corrupt`. */
  setAside({ segment }: Place, bytes: Buffer): void {
    keepDamage(join(this.#folder, this.#nameOf(segment)), [bytes]);
  }

  /** Deletes a segment that is not written any more. */
  remove(number: number): void {
    const segment = this.#segments.get(number);
    if (segment === undefined || number === this.#current?.number) return;
    if (this.#reading?.number === number) this.#closeReading();
    rmSync(join(this.#folder, segment.name), { force: true });
    this.#segments.delete(number);
    this.bytes -= segment.bytes;
  }

  /** Ends the segment that is written now: the next line begins another one. */
  endCurrent(): void {
    if (this.#current !== undefined) closeSync(this.#current.file);
    this.#current = undefined;
  }

  /** Deletes what damaged lines were set aside in, and what was set aside as a whole. */
  removeDamage(): void {
    for (const entry of readdirSync(this.#folder, { withFileTypes: true })) {
      if (entry.isFile() && SET_ASIDE.test(entry.name)) rmSync(join(this.#folder, entry.name), { force: true });
    }
  }

  removeAll(): void {
    this.close();
    for (const name of this.#names()) rmSync(join(this.#folder, name), { force: true, recursive: true });
    this.#segments.clear();
    this.bytes = 0;
  }

  close(): void {
    this.#closeReading();
    this.endCurrent();
  }

  /** Oldest first. What an interrupted repair left unfinished goes. */
  #names(): string[] {
    const order = (name: string): number => Number.parseInt(name.split('_')[2] ?? '', 10);
    const names = readdirSync(this.#folder);
    for (const name of names) {
      if (name.endsWith('.tmp') && LETTER_FILE.test(name.slice(0, -4))) {
        rmSync(join(this.#folder, name), { force: true, recursive: true });
      }
    }
    return names
      .filter((name) => LETTER_FILE.test(name))
      .sort((a, b) => (a.slice(0, 23) === b.slice(0, 23) ? order(a) - order(b) : a < b ? -1 : 1));
  }

  /**
   * The segment to write to: a new one when there is none, or no room, or when another file stands in its place, or others
   * wrote to it. What is written to a file that has lost its name is lost, too.
   */
  #open(bytes: number): Current {
    const current = this.#current;
    if (current !== undefined) {
      const { segment, inode } = current;
      const there = statSync(join(this.#folder, segment.name), { throwIfNoEntry: false });
      const isOurs = there?.ino === inode && there.size === segment.bytes;
      if (isOurs && segment.bytes + bytes <= LARGEST_SEGMENT_BYTES) return current;
      this.close();
    }
    const name = this.#newName();
    const file = openSync(join(this.#folder, name), 'ax+', FILE_MODE);
    const made = { number: this.#numbers++, segment: { name, bytes: 0 }, file, inode: fstatSync(file).ino };
    this.#segments.set(made.number, made.segment);
    this.#current = made;
    this.#syncFolder();
    return made;
  }

  /** Later than every other, also when the clock was set back, so that the order of names is the order of writing. */
  #newName(): string {
    const names = this.#names();
    const last = names.at(-1)?.split('_')[1] ?? '';
    const utc = new Date(this.#now()).toISOString().replace(/[-:.]/g, '');
    const time = [last, utc].sort().at(-1) as string;
    const taken = names
      .filter((name) => name.startsWith(`dlq_${time}_`))
      .map((name) => Number.parseInt(name.slice(24), 10));
    this.#made = Math.max(this.#made, ...taken.map((number) => number + 1));
    return `dlq_${time}_${this.#made++}.json`;
  }

  #openToRead(number: number): number {
    if (number === this.#current?.number) return this.#current.file;
    if (this.#reading?.number === number) return this.#reading.file;
    this.#closeReading();
    const file = openSync(join(this.#folder, this.#nameOf(number)), 'r');
    this.#reading = { number, file };
    return file;
  }

  #nameOf(number: number): string {
    const segment = this.#segments.get(number);
    if (segment === undefined) throw new Error(`segment ${number} is gone, and a letter is said to lie in it`);
    return segment.name;
  }

  #closeReading(): void {
    if (this.#reading !== undefined) closeSync(this.#reading.file);
    this.#reading = undefined;
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
