// A doorbell in shared memory: wakes its one sleeper, and costs the ringer one atomic load when nobody sleeps.
import { CHIME, DOORBELL_BYTES, NAP, SLEEPING } from './layout.js';

/** How long a thread dozes without a turn of its event loop, in milliseconds: as exact as its timers are anyway. */
export const DOZE_MS = 1;

/**
 * Any thread may ring; one thread at a time sleeps.
 *
 * The sleeper raises SLEEPING, looks once more, then waits for CHIME to change from what it was before. The ringer has
 * stored its work before it looks at SLEEPING, so one of the two always sees the other. Only the sleeper lowers
 * SLEEPING: a ringer that did would let a second ringer skip a sleeper that is not awake yet.
 *
 * Each sleep has a number, its NAP, made known before SLEEPING. A ringer that has rung for this nap need not ring again, and to
 * notify costs microseconds: CHIME has changed since the sleeper began, so it will wake, and then look at what was stored by now.
 */
export class Doorbell {
  readonly #words: Int32Array;
  /** The last nap that was rung for here. */
  #rungFor: number | undefined;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(DOORBELL_BYTES);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Wakes the sleeper, if it sleeps and was not rung for here. Call after storing what it waits for, by Atomics.store. */
  ring(): void {
    if (Atomics.load(this.#words, SLEEPING) === 1) this.#wake();
  }

  /**
   * As {@link ring}, by a plain look, after stores that were only in order (ordered-store.ts). False: nobody was woken, and who
   * seems awake may have fallen asleep before it saw them: call {@link ringInDoubt} before long, once for all of them.
   */
  ringAtAGlance(): boolean {
    return this.#words[SLEEPING] === 1 && this.#wake();
  }

  /** As {@link ring}, after stores that were only in order: costs a barrier, behind which no look can pass them. */
  ringInDoubt(): void {
    if (Atomics.or(this.#words, SLEEPING, 0) === 1) this.#wake();
  }

  /** False: this nap was rung for already. */
  #wake(): boolean {
    const nap = Atomics.load(this.#words, NAP);
    if (nap === this.#rungFor) return false;
    this.#rungFor = nap;
    Atomics.add(this.#words, CHIME, 1);
    Atomics.notify(this.#words, CHIME);
    return true;
  }

  /** True until the sleeper is awake again, also when it was rung already. One atomic load. */
  get hasSleeper(): boolean {
    return Atomics.load(this.#words, SLEEPING) === 1;
  }

  /**
   * Sleeps until rung, unless `ready` says there is something to do already.
   * Does not keep the thread's event loop alive: a worker must hold a handle of its own.
   *
   * @param timeoutMs how long at most, in milliseconds; default: for ever
   * @param dozes how often it dozes before it sleeps, where ringers only glance (`ringAtAGlance`). Never on the main thread
   * @returns true: the thread's event loop has had a turn meanwhile
   */
  async sleep(ready: () => boolean, timeoutMs?: number, dozes?: number): Promise<boolean> {
    const heard = Atomics.load(this.#words, CHIME);
    Atomics.add(this.#words, NAP, 1);
    Atomics.store(this.#words, SLEEPING, 1);
    const hasTurned = !ready() && (await this.#wait(ready, heard, timeoutMs, dozes));
    Atomics.store(this.#words, SLEEPING, 0);
    return hasTurned;
  }

  /**
   * A doze blocks the thread for {@link DOZE_MS}, with a turn of its event loop afterwards: from there it wakes in two thirds of
   * the time. Not the turn first: who was rung last may have been woken on this very core, and runs only when this thread blocks.
   * It ends when it was rung, or sees what its ringer has not looked beyond doubt about, being busy since, or waiting for this very
   * thread: what was stored in order is there within nanoseconds, so one that does not doze looks once more after such a time.
   */
  async #wait(ready: () => boolean, heard: number, timeoutMs?: number, dozes?: number): Promise<boolean> {
    if (dozes === 0) {
      const { async, value } = Atomics.waitAsync(this.#words, CHIME, heard, DOZE_MS);
      if ((await value) !== 'timed-out' || ready()) return async;
    }
    for (let turns = 0; turns < (dozes ?? 0); turns++) {
      if (Atomics.wait(this.#words, CHIME, heard, DOZE_MS) !== 'timed-out' || ready()) return turns > 0;
      await new Promise<void>((resume) => setImmediate(resume));
    }
    const { async, value } = Atomics.waitAsync(this.#words, CHIME, heard, timeoutMs);
    await value;
    return async || dozes !== undefined;
  }
}
