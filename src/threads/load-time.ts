// How long the load of a handler may take: what it waits for a thread is not its time.
import { systemClock, type Timer } from '../shared/clock.js';

/** Belongs to one load task. Times in milliseconds. */
export class LoadTime {
  /** One word, which the thread that takes the task sets to 1. */
  readonly memory = new SharedArrayBuffer(4);
  readonly #taken = new Int32Array(this.memory);
  #timer: Timer;
  #isOver = false;

  /**
   * @param takeMs in which a thread takes the task; else `notTaken` is called
   * @param setupMs from then on; else `late` is called
   */
  constructor(takeMs: number, setupMs: number, keepAlive: boolean, notTaken: () => void, late: () => void) {
    const look = (): void => {
      if (Atomics.load(this.#taken, 0) === 0) notTaken();
    };
    this.#timer = systemClock.after(takeMs, look, keepAlive);
    void Promise.resolve(Atomics.waitAsync(this.#taken, 0, 0).value).then(() => {
      this.#timer.cancel();
      if (!this.#isOver) this.#timer = systemClock.after(setupMs, late, keepAlive);
    });
  }

  end(): void {
    this.#isOver = true;
    this.#timer.cancel();
    Atomics.notify(this.#taken, 0);
  }
}
