// Takes off the disk what no letter needs any more, in small steps between other work.
import type { Erasure } from './erasure.js';
import type { LetterLine } from './letter-line.js';
import type { Letters } from './letters.js';
import type { Segments } from './segments.js';

/** Below this much garbage nothing is moved, in bytes. */
const LEAST_GARBAGE_BYTES = 4 * 1024 * 1024;
/** What one step of compaction moves at most, in bytes. */
const STEP_BYTES = 1024 * 1024;

/** Belongs to the logging worker. Methods throw what the disk throws; then they can be called again. */
export class Upkeep {
  readonly #letters: Letters;
  readonly #segments: Segments;
  readonly #erasure: Erasure;

  constructor(letters: Letters, segments: Segments, erasure: Erasure) {
    this.#letters = letters;
    this.#segments = segments;
    this.#erasure = erasure;
  }

  /**
   * Segments become fewer. One without letters goes at once: state lines of the oldest one speak of letters in it only.
   * Otherwise, once there is as much garbage as there are letters, letters of the oldest segment move behind the newest.
   * True: there is more to do.
   */
  compact(): boolean {
    const { index } = this.#letters;
    if (index.isUntidy) this.#letters.tidy();
    if (index.size === 0) {
      if (this.#segments.bytes > 0) this.#segments.removeAll();
      this.#erasure.clear();
      return false;
    }
    const { oldest } = this.#segments;
    const isEmpty = oldest !== undefined && index.lettersIn(oldest) === 0;
    const garbage = this.#segments.bytes - index.bytes;
    if (!isEmpty && (garbage < LEAST_GARBAGE_BYTES || garbage < index.bytes)) return false;
    if (oldest === undefined) this.#segments.endCurrent();
    else if (isEmpty) {
      this.#segments.remove(oldest);
      this.#erasure.forget(oldest);
    } else this.#letters.write(this.#someOf(oldest));
    return true;
  }

  /** Lines of letters that are gone are written over, where their segment stays. True: there is more to do. */
  erase(): boolean {
    return this.#erasure.step();
  }

  /** The first letters of a segment. */
  #someOf(segment: number): LetterLine[] {
    const { index } = this.#letters;
    const lines: LetterLine[] = [];
    let bytes = 0;
    for (let row = 0; row < index.rows && bytes < STEP_BYTES; row++) {
      if (index.columns.state[row] === 0 || index.columns.segment[row] !== segment) continue;
      bytes += index.columns.length[row] as number;
      const line = this.#letters.lineOf(index.idOf(row));
      if (line !== undefined) lines.push(line);
    }
    return lines;
  }
}
