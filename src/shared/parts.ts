// A payload that no record of an outbox has room for, in parts: the lane's worker writes them, main puts them together.
//
//   byte 0   length of the whole payload, double
//   byte 8   the part
import { type RecordMemory, sharedMemory } from './delivery.js';
import { LENGTH, RECORD_HEADER_BYTES } from './layout.js';
import { Outcome } from './outcome.js';
import type { RingWriter } from './ring.js';

const PART_HEADER_BYTES = 8;

/** The largest part: main may read one while the next is written. */
export function largestPart({ largestRecord }: RingWriter): number {
  return (largestRecord >> 1) - PART_HEADER_BYTES;
}

/** False: the outbox is full, and nothing was written. */
export function writePart(outbox: RingWriter, total: number, part: Uint8Array): boolean {
  const offset = outbox.claim(PART_HEADER_BYTES + part.length);
  if (offset < 0) return false;
  outbox.doubles[offset >> 3] = total;
  outbox.bytes.set(part, offset + PART_HEADER_BYTES);
  outbox.commit(Outcome.PART);
  return true;
}

/** One payload at a time. Belongs to one lane; runs on the main thread. */
export class PartReader {
  #whole: Uint8Array | null = null;
  #filled = 0;

  /** Reads the part whose record header is at `word`. */
  read({ words, doubles, bytes }: RecordMemory, word: number): void {
    const start = (word << 2) + RECORD_HEADER_BYTES + PART_HEADER_BYTES;
    const end = (word << 2) + (words[word + LENGTH] as number);
    this.#whole ??= sharedMemory(doubles[(word + RECORD_HEADER_BYTES / 4) >> 1] as number);
    this.#whole.set(bytes.subarray(start, end), this.#filled);
    this.#filled += end - start;
  }

  /** The payload whose last part was read, in memory of its own. */
  take(): Uint8Array {
    const whole = this.#whole ?? sharedMemory(0);
    this.forget();
    return whole;
  }

  /** Whoever wrote the parts is gone, and no more will come. */
  forget(): void {
    this.#whole = null;
    this.#filled = 0;
  }
}
