// How long the load of handlers may take, one after the other: what it waits for a thread is not its time.
import { systemClock, type Timer } from '../shared/clock.js';

/** Belongs to one task. */
export class LoadTime {
  /** One word, which the thread that has taken the task sets to how many of the handlers it has come to, from 1 on. */
  readonly memory = new SharedArrayBuffer(4);
  readonly #word = new Int32Array(this.memory);
  readonly #limitMs: (count: number) => number;
  readonly #keepAlive: boolean;
  readonly #late: (count: number) => void;
  #timer: Timer | undefined;
  #isOver = false;

  /**
   * @param limitMs in which a thread takes the task (0), or is done with this one of the handlers, in milliseconds; else
   * `late` is called
   */
  constructor(limitMs: (count: number) => number, keepAlive: boolean, late: (count: number) => void) {
    this.#limitMs = limitMs;
    this.#keepAlive = keepAlive;
    this.#late = late;
    void this.#watch();
  }

  /** How many of the handlers the thread has come to. */
  get count(): number {
    return Atomics.load(this.#word, 0);
  }

  end(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    Atomics.notify(this.#word, 0);
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      const { count } = this;
      const look = (): void => {
        if (this.count === count) this.#late(count);
      };
      this.#timer = systemClock.after(this.#limitMs(count), look, this.#keepAlive);
      await Atomics.waitAsync(this.#word, 0, count).value;
      this.#timer.cancel();
    }
  }
}
