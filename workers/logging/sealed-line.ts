// A line of JSON that carries the checksum of the rest of it: damage shows, wherever it is.
import { crc32 } from 'node:zlib';

const START = '{"crc":"';
const START_BYTES = Buffer.from(START);
const DIGITS = 8;
const DIGIT_BYTES = Buffer.from('0123456789abcdef');
const QUOTE = 0x22;
const COMMA = 0x2c;
const BRACE = 0x7d;
const BRACKET = 0x5d;

/** `{"crc":"01234567",`: the checksum is of what follows, without the line's end. */
export const SEAL_BYTES = START.length + DIGITS + 2;

/** Writes the seal before the rest of a line. @param start of the line, with {@link SEAL_BYTES} free; @param end of it */
export function sealInPlace(memory: Buffer, start: number, end: number): void {
  memory.set(START_BYTES, start);
  let sum = crc32(memory.subarray(start + SEAL_BYTES, end));
  for (let at = start + START.length + DIGITS - 1; at >= start + START.length; at--) {
    memory[at] = DIGIT_BYTES[sum & 15] as number;
    sum >>>= 4;
  }
  memory[start + SEAL_BYTES - 2] = QUOTE;
  memory[start + SEAL_BYTES - 1] = COMMA;
}

/** Whether the bytes from `start` to `end` are a sealed line, as it was written. */
export function isSealed(bytes: Buffer, start: number, end: number): boolean {
  if (end - start <= SEAL_BYTES) return false;
  for (let at = 0; at < START.length; at++) if (bytes[start + at] !== START_BYTES[at]) return false;
  // The checksum does not speak of its own end.
  if (bytes[start + SEAL_BYTES - 2] !== QUOTE || bytes[start + SEAL_BYTES - 1] !== COMMA) return false;
  const sum = crc32(bytes.subarray(start + SEAL_BYTES, end));
  for (let at = 0; at < DIGITS; at++) {
    const digit = (sum >>> (28 - at * 4)) & 15;
    if (bytes[start + START.length + at] !== DIGIT_BYTES[digit]) return false;
  }
  return true;
}

/** Where the sealed line that begins at `start` ends, when something follows it that is no line's end; -1: there is none. */
export function sealedEnd(bytes: Buffer, start: number, end: number): number {
  if (bytes.toString('latin1', start, start + START.length) !== START) return -1;
  const wanted = Number.parseInt(bytes.toString('latin1', start + START.length, start + START.length + DIGITS), 16);
  // A view, so that no search runs on behind the end.
  const line = bytes.subarray(start, end);
  let sum = 0;
  let from = SEAL_BYTES;
  for (let brace = line.indexOf(BRACE, from); brace >= 0; brace = line.indexOf(BRACE, brace + 1)) {
    // A letter ends with a text, a change with a list: other braces are within them.
    const before = line[brace - 1];
    if (before !== QUOTE && before !== BRACKET) continue;
    sum = crc32(line.subarray(from, brace + 1), sum);
    from = brace + 1;
    if (sum === wanted) return start + from;
  }
  return -1;
}

/** Where the next line may begin inside of a damaged one; -1: nowhere before `end`. No text in JSON contains it. */
export function nextStart(bytes: Buffer, from: number, end: number): number {
  const found = bytes.subarray(from, end).indexOf(START, 0, 'latin1');
  return found < 0 ? -1 : from + found;
}
