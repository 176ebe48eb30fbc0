// Lets callers wait until all that began before them has ended, in whichever order it ends.

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

/** Entries that are done with, before they are cut off. */
const MOST_DONE = 1024;

export class InTurn {
  /** Oldest first, from `#first` on. */
  #begun: Begun[] = [];
  #first = 0;
  #numbers = 0;
  #waiting: Waiting[] = [];
  #nextWaiting = 0;

  begin(): Begun {
    const begun = { number: this.#numbers++, isEnded: false };
    this.#begun.push(begun);
    return begun;
  }

  end(begun: Begun): void {
    begun.isEnded = true;
    while (this.#begun[this.#first]?.isEnded === true) this.#first++;
    if (this.#first > MOST_DONE) {
      this.#begun = this.#begun.slice(this.#first);
      this.#first = 0;
    }
    this.#callThose();
  }

  /** Calls `then` once all that has begun has ended; at once, when it has. */
  after(then: () => void): void {
    if (this.#first === this.#begun.length) then();
    else this.#waiting.push({ number: this.#numbers, then });
  }

  #callThose(): void {
    const oldest = this.#begun[this.#first]?.number ?? Number.POSITIVE_INFINITY;
    for (;;) {
      const waiting = this.#waiting[this.#nextWaiting];
      if (waiting === undefined || waiting.number > oldest) break;
      this.#nextWaiting++;
      waiting.then();
    }
    if (this.#nextWaiting < this.#waiting.length && this.#nextWaiting < MOST_DONE) return;
    this.#waiting = this.#waiting.slice(this.#nextWaiting);
    this.#nextWaiting = 0;
  }
}
