// Writes over the lines of letters that are gone: a payload leaves the disk soon, and not when its segment does.
import { writeBlank } from './letter-line.js';
import { LineBatch } from './line-batch.js';
import type { Place, Segments } from './segments.js';

/** What one step writes at most, in lines and in bytes; a single line may be longer. */
const STEP_LINES = 256;
const STEP_BYTES = 1024 * 1024;

/** Belongs to the logging worker. What it is told is not on the disk: the next start finds it again. */
export class Erasure {
  readonly #segments: Segments;
  readonly #batch = new LineBatch();
  /** By segment. */
  readonly #gone = new Map<number, Place[]>();

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  /** A line holds for no letter any more: it was removed, or a later line holds. */
  add(place: Place): void {
    const places = this.#gone.get(place.segment);
    if (places === undefined) this.#gone.set(place.segment, [place]);
    else places.push(place);
  }

  /** Lines of a segment lie elsewhere in it now: from offset to offset. */
  moveAll(segment: number, offsets: ReadonlyMap<number, number>): void {
    const places = this.#gone.get(segment) ?? [];
    const moved = places.map((place) => ({ ...place, offset: offsets.get(place.offset) ?? place.offset }));
    if (moved.length > 0) this.#gone.set(segment, moved);
  }

  /** The segment is gone, and its lines with it. */
  forget(segment: number): void {
    this.#gone.delete(segment);
  }

  /** All segments are gone. */
  clear(): void {
    this.#gone.clear();
  }

  /** Writes over some lines. True: there are more. Throws what the disk throws; then it can be tried again. */
  step(): boolean {
    for (const [segment, places] of this.#gone) {
      const batch = this.#batch.clear();
      let lines = 0;
      for (const { length } of places) {
        if (lines === STEP_LINES || (lines > 0 && batch.end + length > STEP_BYTES)) break;
        writeBlank(batch, length);
        lines++;
      }
      this.#segments.overwrite(segment, places.slice(0, lines), batch);
      places.splice(0, lines);
      if (places.length === 0) this.#gone.delete(segment);
      return this.#gone.size > 0;
    }
    return false;
  }
}
