// Lines on their way to the disk, one after the other in one buffer, each sealed where it lies.
import { SEAL_BYTES, sealInPlace } from './sealed-line.js';

const FIRST_BYTES = 64 * 1024;
/** A larger buffer is not kept for the next batch. */
const LARGEST_KEPT_BYTES = 8 * 1024 * 1024;
/** Longer texts are measured before room is made: three bytes for each character would be too much. */
const LONG_TEXT = 16 * 1024;
const NEWLINE = 10;

/** Belongs to the logging worker. One for all batches, because new memory costs more than what is done with it. */
export class LineBatch {
  #memory = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #end = 0;
  #lineStart = 0;
  /** Where each line begins; its end is the next one's beginning. */
  readonly starts: number[] = [];

  /** All lines, with their ends; valid until the batch is changed. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#end);
  }

  /** Where the line that is being written begins, in {@link memory}. */
  get lineStart(): number {
    return this.#lineStart;
  }

  /** What was written so far lies in it, until more is written. */
  get memory(): Buffer {
    return this.#memory;
  }

  /** The end of what was written so far. */
  get end(): number {
    return this.#end;
  }

  /** Begins a line. */
  begin(): void {
    this.#lineStart = this.#end;
    this.#reserve(SEAL_BYTES);
    this.#end += SEAL_BYTES;
  }

  text(text: string): void {
    this.#reserve(text.length < LONG_TEXT ? text.length * 3 : Buffer.byteLength(text));
    this.#end += this.#memory.write(text, this.#end, 'utf8');
  }

  copy(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.byteLength;
  }

  /** Seals the line that was begun. */
  seal(): void {
    this.#reserve(1);
    sealInPlace(this.#memory, this.#lineStart, this.#end);
    this.#memory[this.#end++] = NEWLINE;
    this.starts.push(this.#lineStart);
  }

  /** Takes the line that was begun back. */
  cancel(): void {
    this.#end = this.#lineStart;
  }

  /** Empties it, also of a line that was begun. */
  clear(): this {
    this.#end = 0;
    this.starts.length = 0;
    if (this.#memory.length > LARGEST_KEPT_BYTES) this.#memory = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return this;
  }

  #reserve(more: number): void {
    const needed = this.#end + more;
    if (needed <= this.#memory.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#memory.length * 2));
    this.#memory.copy(larger, 0, 0, this.#end);
    this.#memory = larger;
  }
}
