// Reads a file of lines and takes the damaged ones out of it: they go to `<file>.corrupt`, and the rest stays.
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { nextStart, sealedEnd } from './sealed-line.js';

/** What was found wrong. */
export interface Damage {
  corruptLines: number;
  tornTails: number;
}

/** Whether the bytes from `start` to `end` are a good line. */
export type LineCheck = (bytes: Buffer, start: number, end: number) => boolean;

/** The good lines of a file: where each begins and ends, one after the other. */
export interface GoodLines {
  readonly bytes: Buffer;
  readonly spans: readonly number[];
}

/** Memory that files are read into one after the other: touching new memory for each costs more than reading. */
export interface ReadingRoom {
  bytes: Buffer;
}

/** Of every file that busbar makes: they may hold what is private. */
export const FILE_MODE = 0o600;
export const FOLDER_MODE = 0o700;

const NEWLINE = 10;
const NOTHING: GoodLines = { bytes: Buffer.alloc(0), spans: [] };

/**
 * What is no plain file is renamed to `<file>.corrupt` and counts as one line. A torn tail is cut off. Where the disk
 * refuses the repair, the good lines are read all the same. Throws what the disk throws when it cannot be read: then
 * nothing is known of its lines, and nothing is changed.
 *
 * @param room what is returned lies in it, until the next file is read
 */
export function readGoodLines(
  path: string,
  isGood: LineCheck,
  damage: Damage,
  room: ReadingRoom = { bytes: NOTHING.bytes },
): GoodLines {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return NOTHING;
  // A pipe would never end, and a link may lead anywhere.
  if (!there.isFile()) {
    damage.corruptLines++;
    moveAside(path);
    return NOTHING;
  }
  const bytes = readInto(room, path);
  const spans: number[] = [];
  const bad: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    if (isGood(bytes, start, end)) spans.push(start, end);
    else if (end > start) salvage(bytes, start, end, isGood, spans, bad);
    start = end + 1;
  }
  damage.corruptLines += bad.length;
  const tail = bytes.length - start;
  if (tail > 0 && isGood(bytes, start, bytes.length)) {
    // Whole, but for its end.
    spans.push(start, bytes.length);
    return rewrite(path, bytes, spans, bad);
  }
  if (tail > 0) {
    damage.tornTails++;
    const before = spans.length;
    const rest: Buffer[] = [];
    salvage(bytes, start, bytes.length, isGood, spans, rest);
    if (spans.length > before) return rewrite(path, bytes, spans, bad.concat(rest));
  }
  if (bad.length > 0) return rewrite(path, bytes, spans, bad);
  if (tail > 0) cut(path, start);
  return { bytes: bytes.subarray(0, start), spans };
}

/** All of a file. Throws what the disk throws. */
function readInto(room: ReadingRoom, path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    // A power of two: files that grow by a little would each get new memory. What is not touched costs nothing.
    if (room.bytes.length < size) room.bytes = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(size)));
    let end = 0;
    while (end < size) {
      const read = readSync(file, room.bytes, end, size - end, end);
      if (read === 0) break;
      end += read;
    }
    return room.bytes.subarray(0, end);
  } finally {
    closeSync(file);
  }
}

/** Renames what is in the way. Returns whether that could be done. */
export function moveAside(path: string): boolean {
  for (let n = 0; n < 1000; n++) {
    const target = n === 0 ? `${path}.corrupt` : `${path}.${n}.corrupt`;
    try {
      lstatSync(target);
    } catch {
      try {
        renameSync(path, target);
        return true;
      } catch {
        return false;
      }
    }
  }
  return false;
}

/** A damaged line may hold whole ones, when what was between them is lost. @param bad takes what is no good */
function salvage(bytes: Buffer, start: number, end: number, isGood: LineCheck, spans: number[], bad: Buffer[]): void {
  let from = start;
  while (from < end) {
    const next = nextStart(bytes, from + 1, end);
    const to = next < 0 ? end : next;
    const whole = sealedEnd(bytes, from, to);
    if (whole >= 0 && isGood(bytes, from, whole)) {
      spans.push(from, whole);
      if (whole < to) bad.push(bytes.subarray(whole, to));
    } else bad.push(bytes.subarray(from, to));
    from = to;
  }
}

/** The file anew, with the good lines only. Replaced as a whole, so that a crash leaves the one or the other. */
function rewrite(path: string, bytes: Buffer, spans: readonly number[], bad: readonly Buffer[]): GoodLines {
  const end = Buffer.from([NEWLINE]);
  const parts: Buffer[] = [];
  const moved: number[] = [];
  let offset = 0;
  for (let index = 0; index < spans.length; index += 2) {
    const line = bytes.subarray(spans[index], spans[index + 1]);
    parts.push(line, end);
    moved.push(offset, offset + line.length);
    offset += line.length + 1;
  }
  const good = Buffer.concat(parts, offset);
  try {
    if (bad.length > 0) keepDamage(path, bad);
    const temporary = `${path}.tmp`;
    writeFileSync(temporary, good, { mode: FILE_MODE, flush: true });
    renameSync(temporary, path);
    return { bytes: good, spans: moved };
  } catch {
    // The disk refuses: the lines are good all the same, where they are.
    return { bytes, spans };
  }
}

/** Adds damaged lines of a file to `<file>.corrupt`. Throws what the disk throws. */
export function keepDamage(path: string, lines: readonly Buffer[]): void {
  const end = Buffer.from([NEWLINE]);
  const bytes = Buffer.concat(lines.flatMap((line) => [line, end]));
  writeFileSync(placeForDamage(path), bytes, { mode: FILE_MODE, flag: 'a', flush: true });
}

/** `<file>.corrupt`, unless something is there that cannot be written to. */
function placeForDamage(path: string): string {
  for (let n = 0; ; n++) {
    const target = n === 0 ? `${path}.corrupt` : `${path}.${n}.corrupt`;
    if (lstatSync(target, { throwIfNoEntry: false })?.isFile() !== false) return target;
  }
}

function cut(path: string, length: number): void {
  try {
    const file = openSync(path, 'r+');
    try {
      ftruncateSync(file, length);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch {
    // Tried again at the next start; nothing is ever appended to this file meanwhile.
  }
}
