// Lets callers wait until all that began before them has ended, in whichever order it ends.
import { Fifo } from '../shared/fifo.js';

/** Something that began. */
export interface Begun {
  readonly number: number;
  isEnded: boolean;
}

interface Waiting {
  /** Waits for what has a lower number. */
  readonly number: number;
  readonly then: () => void;
}

export class InTurn {
  readonly #begun = new Fifo<Begun>();
  readonly #waiting = new Fifo<Waiting>();
  #numbers = 0;

  begin(): Begun {
    const begun = { number: this.#numbers++, isEnded: false };
    this.#begun.add(begun);
    return begun;
  }

  end(begun: Begun): void {
    begun.isEnded = true;
    while (this.#begun.oldest?.isEnded === true) this.#begun.take();
    const oldest = this.#begun.oldest?.number ?? Number.POSITIVE_INFINITY;
    for (let next = this.#waiting.oldest; next !== undefined && next.number <= oldest; next = this.#waiting.oldest) {
      this.#waiting.take();
      next.then();
    }
  }

  /** Calls `then` once all that has begun has ended; at once, when it has. */
  after(then: () => void): void {
    if (this.#begun.length === 0) then();
    else this.#waiting.add({ number: this.#numbers, then });
  }
}
