// Shares a few threads among many lanes: who runs, who waits, who is asked to give way.

/** Something that needs a thread for a while. */
export interface TurnTaker {
  /** Called when its turn has come; settles when it has given the thread back: true asks for another. Never rejects. */
  take(): Promise<boolean>;
  /** Others wait for a thread: give way soon. False: no longer. */
  share(isWanted: boolean): void;
}

/** First come, first served. Runs on the main thread. */
export class Turns {
  readonly #threads: number;
  readonly #running = new Set<TurnTaker>();
  readonly #waiting = new Set<TurnTaker>();
  /** Those that asked for another turn before their last one was known to be over. */
  readonly #again = new Set<TurnTaker>();
  #isShared = false;

  /** @param threads turns at the same time */
  constructor(threads: number) {
    this.#threads = threads;
  }

  /** Those that have a thread now. */
  get running(): ReadonlySet<TurnTaker> {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks for a turn. One that waits already stays where it is; one that runs has another when it has given its thread back. */
  request(taker: TurnTaker): void {
    if (this.#waiting.has(taker)) return;
    if (this.#running.has(taker)) {
      this.#again.add(taker);
      return;
    }
    this.#waiting.add(taker);
    this.#next();
  }

  /** Takes a request back that was not granted yet. */
  cancel(taker: TurnTaker): void {
    this.#again.delete(taker);
    if (this.#waiting.delete(taker)) this.#next();
  }

  #begin(taker: TurnTaker): void {
    this.#running.add(taker);
    taker.share(this.#isShared);
    void taker.take().then((wantsAnother) => {
      this.#running.delete(taker);
      if (this.#again.delete(taker) || wantsAnother) this.#waiting.add(taker);
      this.#next();
    });
  }

  #next(): void {
    for (const taker of this.#waiting) {
      if (this.#running.size >= this.#threads) break;
      this.#waiting.delete(taker);
      this.#begin(taker);
    }
    this.#setShared(this.#waiting.size > 0);
  }

  #setShared(isShared: boolean): void {
    if (this.#isShared === isShared) return;
    this.#isShared = isShared;
    for (const taker of this.#running) taker.share(isShared);
  }
}
