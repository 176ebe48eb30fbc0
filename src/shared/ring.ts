// A ring of variable-length records in shared memory: one writer thread, one reader thread, no locks.
//
// The algorithm is the one-to-one ring of Agrona and the LMAX Disruptor: each side owns one counter and keeps a copy of
// the other's, which it reads again only when the ring looks full or empty.
import { invalidOption } from './errors.js';
import {
  aligned,
  HEAD,
  INTENDED,
  KIND,
  LENGTH,
  READY,
  RECORD_HEADER_BYTES,
  RING_CONTROL_BYTES,
  RUNNING,
  SEQUENCE,
  STATE,
  SUCCEEDED,
  TAIL,
  WANTED,
  WRITTEN,
} from './layout.js';
import { storeInOrder } from './ordered-store.js';
import { RingViews } from './ring-views.js';

const SMALLEST_RING_BYTES = 1024;
const LARGEST_RING_BYTES = 2 ** 30;
/** Three lines: a record of a small message. */
const FETCHED_BYTES = 192;

/**
 * Memory for a ring that holds `capacityBytes` of records, headers included.
 *
 * @param capacityBytes a power of two from 1 KiB to 1 GiB
 * @throws BUSBAR_INVALID_OPTION
 */
export function allocateRing(capacityBytes: number): SharedArrayBuffer {
  const isPowerOfTwo = Number.isInteger(capacityBytes) && (capacityBytes & (capacityBytes - 1)) === 0;
  if (!isPowerOfTwo || capacityBytes < SMALLEST_RING_BYTES || capacityBytes > LARGEST_RING_BYTES) {
    throw invalidOption('ringBytes', 'a power of two from 1024 to 1073741824', capacityBytes);
  }
  const memory = new SharedArrayBuffer(RING_CONTROL_BYTES + capacityBytes);
  new Int32Array(memory, 0, RING_CONTROL_BYTES / 4)[RUNNING] = -1;
  return memory;
}

/** The writing half. Belongs to one thread at a time; a successor on another thread goes on where it stopped. */
export class RingWriter extends RingViews {
  #tail: number;
  #written: number;
  #head: number;
  #claimed = 0;

  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#tail = this.word(TAIL);
    this.#written = this.#countWritten();
    this.#head = this.word(HEAD);
  }

  /** Records committed since the ring was made, mod 2^32 (signed). */
  get written(): number {
    return this.#written;
  }

  /** Records released because their handler succeeded, mod 2^32 (signed). One atomic load. */
  get succeeded(): number {
    return this.word(SUCCEEDED);
  }

  /** True when the reader has released everything. */
  get isEmpty(): boolean {
    return this.word(HEAD) === this.#tail;
  }

  /** SEQUENCE of the oldest record that the reader has not released; WRITTEN when there is none. */
  get oldest(): number {
    const head = this.word(HEAD);
    if (head === this.#tail) return this.#written;
    const word = (head & this.mask) >> 2;
    // Behind padding the next record lies at the very beginning.
    return this.words[((this.words[word + LENGTH] as number) < 0 ? 0 : word) + SEQUENCE] as number;
  }

  /** Makes room for a body and returns its byte offset in {@link bytes}, or -1 when the ring is full. */
  claim(bodyBytes: number): number {
    const size = aligned(RECORD_HEADER_BYTES + bodyBytes);
    const place = this.#tail & this.mask;
    const untilEnd = this.capacity - place;
    const padding = size <= untilEnd ? 0 : untilEnd;
    if (!this.#hasRoom(size + padding)) return -1;
    if (padding > 0) {
      this.words[(place >> 2) + LENGTH] = -padding;
      this.#tail = (this.#tail + padding) | 0;
    }
    const start = this.#tail & this.mask;
    this.words[(start >> 2) + LENGTH] = RECORD_HEADER_BYTES + bodyBytes;
    this.#claimed = size;
    return start + RECORD_HEADER_BYTES;
  }

  /** Gives back what the body of the claimed record does not need, before it is committed. */
  shrink(bodyBytes: number): void {
    this.words[((this.#tail & this.mask) >> 2) + LENGTH] = RECORD_HEADER_BYTES + bodyBytes;
    this.#claimed = aligned(RECORD_HEADER_BYTES + bodyBytes);
  }

  /** Publishes the claimed record to the reader. Ring the reader's doorbell then. */
  commit(kind: number): void {
    this.#complete(kind);
    Atomics.store(this.control, TAIL, this.#tail);
    this.#fetch();
  }

  /** As {@link commit}, for less where the machine keeps stores in order: the doorbell's `ringAtAGlance` then. */
  commitInOrder(kind: number): void {
    this.#complete(kind);
    storeInOrder(this.control, TAIL, this.#tail);
  }

  #complete(kind: number): void {
    const word = (this.#tail & this.mask) >> 2;
    this.words[word + KIND] = kind;
    this.words[word + SEQUENCE] = this.#written;
    this.words[word + STATE] = READY;
    this.#tail = (this.#tail + this.#claimed) | 0;
    this.control[INTENDED] = this.#tail | (this.#written & 7);
    this.#written = (this.#written + 1) | 0;
    this.control[WRITTEN] = this.#written;
  }

  /** Bytes that the reader has not released. */
  get unreleasedBytes(): number {
    this.#head = this.word(HEAD);
    return (this.#tail - this.#head) | 0;
  }

  /**
   * Asks the reader to ring the writer's doorbell when it has released all but `bytes` of what is there now.
   * True: it has already, so no bell may come.
   */
  wantRoom(bytes: number): boolean {
    const position = (this.#tail - aligned(bytes)) | 0;
    Atomics.store(this.control, WANTED, position | 1);
    return ((this.word(HEAD) - position) | 0) >= 0;
  }

  /** True when room that was asked for is there. */
  get hasWantedRoom(): boolean {
    const wanted = this.word(WANTED);
    return wanted !== 0 && ((this.word(HEAD) - (wanted & ~7)) | 0) >= 0;
  }

  /** Takes {@link wantRoom} back. */
  wantNothing(): void {
    Atomics.store(this.control, WANTED, 0);
  }

  /** Has the next record's cache lines fetched from the other core: a plain store does not wait for them, but that of TAIL would. */
  #fetch(): void {
    const place = this.#tail & this.mask;
    if (Math.max(place, (this.#tail - this.#head) | 0) + FETCHED_BYTES > this.capacity) return;
    const word = place >> 2;
    this.words[word] = 0;
    this.words[word + 16] = 0;
    this.words[word + 32] = 0;
  }

  /** A predecessor may have died in the middle of a commit: WRITTEN then counts a record that TAIL does not. */
  #countWritten(): number {
    const written = this.word(WRITTEN);
    const intended = this.word(INTENDED);
    const isWhole = (intended & ~7) === this.#tail || (written & 7) === (intended & 7);
    return isWhole ? written : (written - 1) | 0;
  }

  #hasRoom(bytes: number): boolean {
    if (((this.#tail - this.#head) | 0) + bytes <= this.capacity) return true;
    this.#head = this.word(HEAD);
    return ((this.#tail - this.#head) | 0) + bytes <= this.capacity;
  }
}

/** One record as read; `bytes` is a view on shared memory, valid until `release()`. */
export interface RingRecord {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** The reading half. Belongs to one thread at a time; a successor starts at the first unreleased record. */
export class RingReader extends RingViews {
  #cursor: number;
  #head: number;
  #tail: number;
  #succeeded: number;

  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#cursor = this.word(HEAD);
    this.#head = this.#cursor;
    this.#tail = this.word(TAIL);
    this.#succeeded = this.word(SUCCEEDED);
  }

  /** True when there is an unread record. At most one atomic load. */
  get hasNext(): boolean {
    if (this.#cursor !== this.#tail) return true;
    this.#tail = this.word(TAIL);
    return this.#cursor !== this.#tail;
  }

  /** The word index of the next record's header. Only when {@link hasNext}. */
  peek(): number {
    const word = (this.#cursor & this.mask) >> 2;
    return (this.words[word + LENGTH] as number) < 0 ? 0 : word;
  }

  /** Moves past the next record and returns the word index of its header, or -1 when there is none. */
  next(): number {
    if (!this.hasNext) return -1;
    let word = (this.#cursor & this.mask) >> 2;
    const length = this.words[word + LENGTH] as number;
    if (length < 0) {
      this.#cursor = (this.#cursor - length) | 0;
      word = (this.#cursor & this.mask) >> 2;
    }
    this.#cursor = (this.#cursor + aligned(this.words[word + LENGTH] as number)) | 0;
    return word;
  }

  /** The next record, or undefined. */
  read(): RingRecord | undefined {
    const word = this.next();
    if (word < 0) return undefined;
    const start = word << 2;
    const end = start + (this.words[word + LENGTH] as number);
    return { kind: this.words[word + KIND] as number, bytes: this.bytes.subarray(start + RECORD_HEADER_BYTES, end) };
  }

  /** The position after the last record read; give it to {@link releaseTo}. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Reads again from the first record that was not released. */
  rewind(): void {
    this.#cursor = this.#head;
  }

  /** Gives the space of everything read so far back to the writer. */
  release(): void {
    this.releaseTo(this.#cursor);
  }

  /** Gives the space before `position` back to the writer. */
  releaseTo(position: number): void {
    this.#head = position;
    Atomics.store(this.control, HEAD, position);
  }

  /** Counts one record as released by success. Call before releasing it. */
  countSuccess(): void {
    this.#succeeded = (this.#succeeded + 1) | 0;
    Atomics.store(this.control, SUCCEEDED, this.#succeeded);
  }

  /**
   * Both at once: who sees the space given back sees the count. Look at {@link mayHaveWantedRoom} then, and before long, or
   * before this thread sleeps, at {@link hasWantedRoom} after {@link showRelease}.
   */
  releaseSucceeded(position: number): void {
    this.#succeeded = (this.#succeeded + 1) | 0;
    this.control[SUCCEEDED] = this.#succeeded;
    this.#head = position;
    storeInOrder(this.control, HEAD, position);
  }

  /** From here on a writer that asks for room sees what {@link releaseSucceeded} gave back, or is seen to ask. */
  showRelease(): void {
    Atomics.store(this.control, HEAD, this.#head);
  }

  /** True when the writer waits for room and has it. One atomic load. */
  get hasWantedRoom(): boolean {
    return this.#isWanted(this.word(WANTED));
  }

  /** As {@link hasWantedRoom}, by a plain look: it may miss who asks at this very moment. */
  get mayHaveWantedRoom(): boolean {
    return this.#isWanted(this.control[WANTED] as number);
  }

  #isWanted(wanted: number): boolean {
    return wanted !== 0 && ((this.#head - (wanted & ~7)) | 0) >= 0;
  }
}
