// The ledger that handlers keep in memory which all threads share, apart from all that the bus counts.
//
//   words 0 ..            for each message, by number: STARTED, DONE, MISDEEDS done so far, DUE (when the thread of the
//                         attempt that runs may be ended, in milliseconds of the ledger's own clock; 0: none runs), LATE
//                         (attempts that were not over by then: on a busy machine that is nobody's fault)
//   then, for each stream the number + 1 of the message that began last: messages of a stream must begin in order
//   then OVERTAKEN        messages that began although a later one of their stream had begun before
//   then WHO              the number + 1 of one of those
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

const NAME = 'busbar.chaos.ledger';
const STARTED = 0;
const DONE = 1;
const MISDEEDS = 2;
const DUE = 3;
const LATE = 4;
const WORDS = 5;

interface Laid {
  readonly memory: SharedArrayBuffer;
  readonly messages: number;
  readonly laidAt: number;
}

/** Runs on any thread. */
export class Ledger {
  readonly #words: Int32Array;
  readonly #streams: number;
  readonly #messages: number;

  /** `Date.now()` at which its clock began. */
  readonly #laidAt: number;

  private constructor(words: Int32Array, messages: number, laidAt: number) {
    this.#words = words;
    this.#laidAt = laidAt;
    this.#messages = messages;
    this.#streams = messages * WORDS;
  }

  /** An empty one, which threads that are started from now on find by {@link find}. */
  static lay(messages: number, streams: number): Ledger {
    const memory = new SharedArrayBuffer(4 * (messages * WORDS + streams + 2));
    const laidAt = Date.now();
    setEnvironmentData(NAME, { memory, messages, laidAt } as never);
    return new Ledger(new Int32Array(memory), messages, laidAt);
  }

  static find(): Ledger {
    const { memory, messages, laidAt } = getEnvironmentData(NAME) as unknown as Laid;
    return new Ledger(new Int32Array(memory), messages, laidAt);
  }

  /**
   * @param stream -1: it belongs to none
   * @param due `Date.now()` from which on its thread may be ended
   */
  start(n: number, stream: number, due: number): void {
    Atomics.add(this.#words, n * WORDS + STARTED, 1);
    this.#clear(n, Math.floor(due - this.#laidAt));
    if (stream < 0) return;
    const before = Atomics.exchange(this.#words, this.#streams + stream, n + 1);
    if (before <= n + 1) return;
    Atomics.add(this.#words, this.#words.length - 2, 1);
    Atomics.store(this.#words, this.#words.length - 1, n + 1);
  }

  /** Its function has come to its end, whatever that is. */
  end(n: number): void {
    this.#clear(n, 0);
  }

  /**
   * How many of its attempts may have been ended for their deadline.
   *
   * @param until `Date.now()` when it was given up
   */
  latesOf(n: number, until: number): number {
    this.#clear(n, 0, until);
    return Atomics.load(this.#words, n * WORDS + LATE);
  }

  #clear(n: number, next: number, now = Date.now()): void {
    const due = Atomics.exchange(this.#words, n * WORDS + DUE, next);
    if (due > 0 && now - this.#laidAt >= due) Atomics.add(this.#words, n * WORDS + LATE, 1);
  }

  done(n: number): void {
    Atomics.add(this.#words, n * WORDS + DONE, 1);
  }

  /** How often this message has misbehaved before. */
  misbehave(n: number): number {
    return Atomics.add(this.#words, n * WORDS + MISDEEDS, 1);
  }

  startsOf(n: number): number {
    return Atomics.load(this.#words, n * WORDS + STARTED);
  }

  donesOf(n: number): number {
    return Atomics.load(this.#words, n * WORDS + DONE);
  }

  get messages(): number {
    return this.#messages;
  }

  /** Messages that began too late, and one of them. */
  get overtaken(): { count: number; one: number } {
    const count = Atomics.load(this.#words, this.#words.length - 2);
    return { count, one: Atomics.load(this.#words, this.#words.length - 1) - 1 };
  }
}
