// The words of a lane's turn as its drain sees them: see `Turn`.
import { EXIT_BY, Turn } from '../../src/shared/lane-task.js';
import type { RecordAddress } from '../../src/shared/outcome.js';

/** Belongs to one drain. */
export class DrainTurn {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** A thread has taken the task of this drain. */
  take(number: number): void {
    Atomics.store(this.#words, Turn.TAKEN, number);
  }

  /** The module of its handler is imported, and its set-up begins. */
  setUp(number: number): void {
    Atomics.store(this.#words, Turn.SETTING_UP, number);
  }

  get mustLeave(): boolean {
    return Atomics.load(this.#words, Turn.LEAVE) === 1;
  }

  /**
   * As {@link mustLeave}, once for each message: by a plain look, for an atomic one is a call of 15 ns. It may miss what is asked
   * at this very moment; whoever goes to sleep must look atomically.
   */
  get wasAskedToLeave(): boolean {
    return this.#words[Turn.LEAVE] === 1;
  }

  /** Others wait for this thread. */
  get isWanted(): boolean {
    return Atomics.load(this.#words, Turn.SHARE) === 1;
  }

  /** This drain has to leave, though main has not asked. */
  giveUp(): void {
    Atomics.store(this.#words, Turn.LEAVE, 1);
  }

  /** Main takes a drain that does not, though it has reason to, for stuck. Overflows to 0 after years. */
  beat(): void {
    this.#words[Turn.BEAT] = (this.#words[Turn.BEAT] as number) + 1;
  }

  /**
   * @param number of the drain
   * @param by whose handler ends this thread; null: one that is over; undefined: not known
   * @param code of the exit
   */
  tellExit(number: number, by: RecordAddress | null | undefined, code: number): void {
    Atomics.store(this.#words, Turn.EXIT_CODE, code);
    Atomics.store(this.#words, Turn.EXIT_PLACE, by?.place ?? (by === null ? EXIT_BY.OVER : EXIT_BY.UNKNOWN));
    Atomics.store(this.#words, Turn.EXIT_SEQUENCE, by?.sequence ?? 0);
    Atomics.store(this.#words, Turn.EXITED, number);
  }
}
