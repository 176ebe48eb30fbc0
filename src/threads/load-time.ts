// How long the load of handlers may take, one after the other: what it waits for a thread is not its time.
import { systemClock, type Timer } from '../shared/clock.js';
import { PROGRESS_BYTES, Progress } from '../shared/lane-task.js';
import { LONGEST_GAP_MS } from './pulse.js';

/** Belongs to one task. */
export class LoadTime {
  /** See `Progress`. */
  readonly memory = new SharedArrayBuffer(PROGRESS_BYTES);
  readonly #words = new Int32Array(this.memory);
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
    return Atomics.load(this.#words, Progress.COUNT);
  }

  /** The module of the last one of these is imported. */
  get isSettingUp(): boolean {
    return Atomics.load(this.#words, Progress.SETTING_UP) === 1;
  }

  end(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    Atomics.notify(this.#words, Progress.COUNT);
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      const { count } = this;
      this.#begin(count, false);
      await Atomics.waitAsync(this.#words, Progress.COUNT, count).value;
      this.#timer?.cancel();
    }
  }

  /** @param isAgain the process stood still meanwhile, the thread with it: it has its time once more */
  #begin(count: number, isAgain: boolean): void {
    const ms = this.#limitMs(count);
    const dueAt = systemClock.elapsed() + ms;
    const look = (): void => {
      if (this.count !== count) return;
      const stoodStill = systemClock.elapsed() - dueAt > LONGEST_GAP_MS;
      if (stoodStill && !isAgain) this.#begin(count, true);
      else this.#late(count);
    };
    this.#timer = systemClock.after(ms, look, this.#keepAlive);
  }
}
