// The sequences of the last messages that were settled: a server that was killed may bring them again.

/** More than a server forgets when it is killed. */
const MOST = 65_536;

/** A bounded set; the oldest go first. */
export class Remembered {
  #recent = new Set<number>();
  #older = new Set<number>();

  add(sequence: number): void {
    this.#recent.add(sequence);
    if (this.#recent.size < MOST) return;
    this.#older = this.#recent;
    this.#recent = new Set();
  }

  has(sequence: number): boolean {
    return this.#recent.has(sequence) || this.#older.has(sequence);
  }
}

/** More acknowledgements than a lost connection may have on its way. */
const MOST_ANSWERS = 4096;

/** The last acknowledgements: those that were on their way when a connection was lost are sent again. */
export class RecentAnswers {
  readonly #replies: string[] = [];
  readonly #answers: Uint8Array[] = [];
  #next = 0;

  add(reply: string, answer: Uint8Array): void {
    this.#replies[this.#next] = reply;
    this.#answers[this.#next] = answer;
    this.#next = (this.#next + 1) % MOST_ANSWERS;
  }

  each(visit: (reply: string, answer: Uint8Array) => void): void {
    this.#replies.forEach((reply, index) => {
      visit(reply, this.#answers[index] as Uint8Array);
    });
  }
}
