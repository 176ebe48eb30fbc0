// Dead letters as they come out of the ring, in groups that go to the disk together.
import { systemClock } from '../../src/shared/clock.js';
import { type HandedLetter, readLetterRecord } from '../../src/shared/letter-text.js';
import { RingReader } from '../../src/shared/ring.js';

/** Letters in one group commit: what waits longer than their fsync takes forms the next group. */
const MOST_IN_GROUP = 4096;
/** Half of the ring: main fills the other half meanwhile. */
const MOST_GROUP_BYTES = 2 * 1024 * 1024;
/** Between two looks at what comes, in milliseconds. */
const LOOK_MS = 0.2;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Belongs to the logging worker. */
export class ArrivingLetters {
  readonly #ring: RingReader;
  #group: HandedLetter[] = [];
  #bytes = 0;
  /** Letters of the group before. */
  #before = 0;
  /** Fewer while the disk fails: it may have room for some of them. */
  #most = MOST_IN_GROUP;
  /** How long that one took to go to the disk, in milliseconds. */
  #tookMs = 0;
  #gatheredAt = 0;

  /** @param ring the letter ring's memory */
  constructor(ring: SharedArrayBuffer) {
    this.#ring = new RingReader(ring);
  }

  get hasNext(): boolean {
    return this.#ring.hasNext;
  }

  /**
   * The letters of the next group; views on the ring. Empty: there are none.
   *
   * Those of a group come back together, when all who waited for it go on: whoever takes the first few of them pays a whole
   * fsync for them. So while letters come and are fewer than half of the group before, it waits, as long as that one took.
   */
  gather(): readonly HandedLetter[] {
    this.#group = [];
    this.#bytes = 0;
    const deadline = systemClock.elapsed() + this.#tookMs;
    while (this.#takeWhatIsThere() && this.#group.length * 2 < this.#before && systemClock.elapsed() < deadline) {
      Atomics.wait(pause, 0, 0, LOOK_MS);
    }
    this.#gatheredAt = systemClock.elapsed();
    return this.#group;
  }

  /** The group is on the disk. */
  release(): void {
    this.#most = Math.min(MOST_IN_GROUP, this.#most * 2);
    for (let count = 0; count < this.#group.length; count++) this.#ring.countSuccess();
    this.#ring.release();
    this.#before = this.#group.length;
    this.#tookMs = systemClock.elapsed() - this.#gatheredAt;
  }

  /** The group is not on the disk: it is gathered again, or half of it. False: it was a single letter. */
  rewind(): boolean {
    this.#ring.rewind();
    this.#before = 0;
    this.#most = Math.max(1, Math.ceil(this.#group.length / 2));
    return this.#group.length > 1;
  }

  /** False: nothing was there, or the group is full. */
  #takeWhatIsThere(): boolean {
    const before = this.#group.length;
    while (this.#group.length < this.#most && this.#bytes < MOST_GROUP_BYTES) {
      const record = this.#ring.read();
      if (record === undefined) return this.#group.length > before;
      this.#bytes += record.bytes.byteLength;
      this.#group.push(readLetterRecord(record.bytes));
    }
    return false;
  }
}
