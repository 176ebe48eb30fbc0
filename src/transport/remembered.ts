// What was settled lately: a server that was killed may bring it again, a connection that was lost may have lost its acknowledgement.
import { type Answer, type Delivered, replyOf } from './delivered.js';

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
    if (this.#pages.size > MOST_PAGES) this.#pages.delete(Math.min(...this.#pages.keys()));
    return page;
  }
}

/** More acknowledgements than a lost connection may have on its way. */
const MOST_ANSWERS = 4096;
const NUMBERS = 3;

/** The last acknowledgements: those that were on their way when a connection was lost are sent again. As numbers, for the same reason. */
export class RecentAnswers {
  readonly #numbers = new Float64Array(MOST_ANSWERS * NUMBERS);
  readonly #answers: Answer[] = [];
  readonly #mark: string;
  /** One of the replies; all others differ from it in their numbers. */
  #like = '';
  #next = 0;

  /** @param mark see `markOf` */
  constructor(mark: string) {
    this.#mark = mark;
  }

  add(reply: string, { count, sequence, number }: Omit<Delivered, 'stamp'>, answer: Answer): void {
    const at = this.#next * NUMBERS;
    this.#numbers[at] = count;
    this.#numbers[at + 1] = sequence;
    this.#numbers[at + 2] = number;
    this.#answers[this.#next] = answer;
    this.#like = reply;
    this.#next = (this.#next + 1) % MOST_ANSWERS;
  }

  each(visit: (reply: string, answer: Answer) => void): void {
    this.#answers.forEach((answer, index) => {
      const [count, sequence, number] = this.#numbers.subarray(index * NUMBERS) as unknown as [number, number, number];
      visit(replyOf(this.#like, this.#mark, { count, sequence, number }), answer);
    });
  }
}
