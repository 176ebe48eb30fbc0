// The ledger that handlers keep in memory which all threads share, apart from all that the bus counts.
//
//   words 0 ..            for each message, by number: STARTED, DONE, MISDEEDS done so far
//   then, for each stream the number + 1 of the message that began last: messages of a stream must begin in order
//   then OVERTAKEN        messages that began although a later one of their stream had begun before
//   then WHO              the number + 1 of one of those
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

const NAME = 'busbar.chaos.ledger';
const STARTED = 0;
const DONE = 1;
const MISDEEDS = 2;
const WORDS = 3;

/** Runs on any thread. */
export class Ledger {
  readonly #words: Int32Array;
  readonly #streams: number;
  readonly #messages: number;

  private constructor(words: Int32Array, messages: number) {
    this.#words = words;
    this.#messages = messages;
    this.#streams = messages * WORDS;
  }

  /** An empty one, which threads that are started from now on find by {@link find}. */
  static lay(messages: number, streams: number): Ledger {
    const memory = new SharedArrayBuffer(4 * (messages * WORDS + streams + 2));
    setEnvironmentData(NAME, { memory, messages } as never);
    return new Ledger(new Int32Array(memory), messages);
  }

  static find(): Ledger {
    const { memory, messages } = getEnvironmentData(NAME) as unknown as { memory: SharedArrayBuffer; messages: number };
    return new Ledger(new Int32Array(memory), messages);
  }

  /** @param stream -1: it belongs to none */
  start(n: number, stream: number): void {
    Atomics.add(this.#words, n * WORDS + STARTED, 1);
    if (stream < 0) return;
    const before = Atomics.exchange(this.#words, this.#streams + stream, n + 1);
    if (before <= n + 1) return;
    Atomics.add(this.#words, this.#words.length - 2, 1);
    Atomics.store(this.#words, this.#words.length - 1, n + 1);
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
