// Messages on their way to where they are kept, few at a time: each is copied on its way, and there is little memory for copies.
import { Fifo } from '../shared/fifo.js';
import type { Outgoing } from './outgoing.js';

/** What may be on its way at the same time, in bytes; a single message may have more. */
const MOST_AT_ONCE_BYTES = 1024 * 1024;
/** What a letter has beside the message, about, in bytes: the error, and names. */
const LETTER_BYTES = 1024;

interface Waiting {
  readonly outgoing: Outgoing;
  readonly problem: Error;
  readonly done: () => void;
}

/** Runs on the main thread. */
export class Keeping {
  readonly #keep: (outgoing: Outgoing, problem: Error) => Promise<void>;
  readonly #waiting = new Fifo<Waiting>();
  #bytes = 0;
  #whenOver: (() => void)[] = [];
  /** Messages that were kept. */
  kept = 0;

  /** @param keep resolves once it is safe. Never rejects */
  constructor(keep: (outgoing: Outgoing, problem: Error) => Promise<void>) {
    this.#keep = keep;
  }

  /** Resolves once it is kept; those that wait go in the order in which they came. */
  add(outgoing: Outgoing, problem: Error): Promise<void> {
    return new Promise((done) => {
      this.#waiting.add({ outgoing, problem, done });
      this.#moveUp();
    });
  }

  /** Resolves once all are kept. */
  over(): Promise<void> {
    return this.#bytes === 0 ? Promise.resolve() : new Promise((done) => this.#whenOver.push(done));
  }

  #moveUp(): void {
    while (this.#bytes < MOST_AT_ONCE_BYTES) {
      const next = this.#waiting.take();
      if (next === undefined) break;
      void this.#keepOne(next);
    }
    if (this.#bytes === 0) for (const done of this.#whenOver.splice(0)) done();
  }

  async #keepOne({ outgoing, problem, done }: Waiting): Promise<void> {
    const bytes = outgoing.data.byteLength + LETTER_BYTES;
    this.#bytes += bytes;
    await this.#keep(outgoing, problem);
    this.#bytes -= bytes;
    this.kept++;
    done();
    this.#moveUp();
  }
}
