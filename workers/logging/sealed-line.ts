// A line of JSON that carries the checksum of the rest of it: damage shows, wherever it is.
import { crc32 } from 'node:zlib';

const START = '{"crc":"';
const DIGITS = 8;
/** `{"crc":"01234567",`: the checksum is of what follows, without the line's end. */
const SEALED_FROM = START.length + DIGITS + 2;

/** @param json an object with at least one field */
export function seal(json: string): Buffer {
  const line = Buffer.from(`${START}00000000",${json.slice(1)}\n`);
  line.write(checksum(line, SEALED_FROM, line.length - 1), START.length, 'latin1');
  return line;
}

/** Whether the bytes from `start` to `end` are a sealed line, as it was written. */
export function isSealed(bytes: Buffer, start: number, end: number): boolean {
  if (end - start <= SEALED_FROM || bytes[start] !== 0x7b) return false;
  if (bytes.toString('latin1', start, start + START.length) !== START) return false;
  // The checksum does not speak of its own end.
  if (bytes[start + SEALED_FROM - 2] !== 0x22 || bytes[start + SEALED_FROM - 1] !== 0x2c) return false;
  const digits = bytes.toString('latin1', start + START.length, start + START.length + DIGITS);
  return digits === checksum(bytes, start + SEALED_FROM, end);
}

/** Where the sealed line that begins at `start` ends, when something follows it that is no line's end; -1: there is none. */
export function sealedEnd(bytes: Buffer, start: number, end: number): number {
  if (bytes.toString('latin1', start, start + START.length) !== START) return -1;
  const wanted = Number.parseInt(bytes.toString('latin1', start + START.length, start + START.length + DIGITS), 16);
  let sum = 0;
  let from = start + SEALED_FROM;
  for (let brace = bytes.indexOf('}', from); brace >= 0 && brace < end; brace = bytes.indexOf('}', from)) {
    sum = crc32(bytes.subarray(from, brace + 1), sum);
    from = brace + 1;
    if (sum === wanted) return from;
  }
  return -1;
}

/** Where the next line may begin inside of a damaged one; -1: nowhere before `end`. No text in JSON contains it. */
export function nextStart(bytes: Buffer, from: number, end: number): number {
  const found = bytes.indexOf(START, from, 'latin1');
  return found < 0 || found >= end ? -1 : found;
}

function checksum(bytes: Buffer, start: number, end: number): string {
  return crc32(bytes.subarray(start, end)).toString(16).padStart(DIGITS, '0');
}
