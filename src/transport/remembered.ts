// What was settled lately: a server that was killed may bring it again, a connection that was lost may have lost its acknowledgement.
import type { Delivered } from './delivered.js';

/** See {@link Delivered}. */
type Settled = Pick<Delivered, 'sequence' | 'stamp'>;

/** Sequences of a page: a number for each. */
const PAGE = 16_384;
/** Beyond so many pages the oldest are forgotten: half a million sequences, far more than a server forgets when it is killed. */
const MOST_PAGES = 32;

/**
 * The last messages that were settled. As numbers in pages: a map of them outlives the young generation, and for each message the
 * garbage collector would have something to copy.
 */
export class Remembered {
  /** One more than the stamp of the message that was settled; 0: none. */
  readonly #pages = new Map<number, Uint32Array>();

  add({ sequence, stamp }: Settled): void {
    const place = sequence % PAGE;
    this.#pageOf((sequence - place) / PAGE)[place] = stamp + 1;
  }

  /** False also for another message of the same sequence. */
  has({ sequence, stamp }: Settled): boolean {
    const place = sequence % PAGE;
    return this.#pages.get((sequence - place) / PAGE)?.[place] === stamp + 1;
  }

  #pageOf(number: number): Uint32Array {
    const found = this.#pages.get(number);
    if (found !== undefined) return found;
    const page = new Uint32Array(PAGE);
    this.#pages.set(number, page);
    // By age: a stream that was made anew begins with the lowest sequences.
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > MOST_PAGES && oldest !== undefined) this.#pages.delete(oldest);
    return page;
  }
}
