// What the threads of a ring under stress are told, what they write down, and what the records hold.
import { randomBytes } from 'node:crypto';

/** Words of the notes, apart from all that the ring counts. */
export const Note = {
  /** Written by the reader: the number after the last record that it has read. */
  READ: 0,
  /** Written by the reader: the number after the last record that it has released, or of an earlier one. */
  RELEASED: 1,
  /** Written by the reader: records with another number, length or content than they must have. */
  WRONG: 2,
  /** Written by the supervisor, 1: the writer ends before its next record. */
  STOP: 3,
  /** Written by the supervisor, when no more will come: how many there are. Before: -1. */
  TOTAL: 4,
  /** Written by writers and readers: how many of them have begun. */
  BEGUN: 5,
} as const;

export interface RingTask {
  readonly ring: SharedArrayBuffer;
  readonly readerBell: SharedArrayBuffer;
  readonly writerBell: SharedArrayBuffer;
  readonly notes: Int32Array;
  readonly noise: Uint8Array;
  readonly seed: number;
  readonly largest: number;
}

const NOISE_BYTES = 64 * 1024;

export function makeNoise(): Uint8Array {
  const noise = new Uint8Array(new SharedArrayBuffer(NOISE_BYTES));
  noise.set(randomBytes(NOISE_BYTES));
  return noise;
}

/** The content of record `n`: its length and where in the noise it begins follow from the seed. */
export function contentOf({ noise, seed, largest }: RingTask, n: number): Uint8Array {
  let mixed = Math.imul(n ^ seed, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca77);
  mixed ^= mixed >>> 13;
  // Most are small, so that many lie in the ring at a time; some are as large as may be.
  const most = mixed & 0x700000 ? Math.min(largest, 48) : largest;
  const length = (mixed >>> 1) % (most + 1);
  const from = (mixed >>> 3) % (NOISE_BYTES - largest);
  return noise.subarray(from, from + length);
}
