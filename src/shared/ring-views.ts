// The views that both halves of a ring have on its memory.
import { RECORD_HEADER_BYTES, RING_CONTROL_BYTES } from './layout.js';

/** Runs on any thread. */
export class RingViews {
  readonly capacity: number;
  /** The largest body that always fits once the ring is empty, in bytes. */
  readonly largestRecord: number;
  protected readonly control: Int32Array;
  protected readonly mask: number;
  /** The record area, as bytes, words and doubles. */
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly doubles: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.capacity = memory.byteLength - RING_CONTROL_BYTES;
    this.largestRecord = this.capacity / 2 - RECORD_HEADER_BYTES;
    this.mask = this.capacity - 1;
    this.control = new Int32Array(memory, 0, RING_CONTROL_BYTES / 4);
    this.bytes = Buffer.from(memory, RING_CONTROL_BYTES, this.capacity);
    this.words = new Int32Array(memory, RING_CONTROL_BYTES, this.capacity / 4);
    this.doubles = new Float64Array(memory, RING_CONTROL_BYTES, this.capacity / 8);
  }

  protected word(index: number): number {
    return Atomics.load(this.control, index);
  }
}
