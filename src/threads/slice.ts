// How much plain functions may do in one turn of the event loop.

/** After so long, in milliseconds, or so many calls the loop has its turn: to a single call it would add what many calls cost. */
const SLICE_MS = 1;
const MOST_PER_SLICE = 4096;
/** Calls that take less on average take less than to read what they are called with, which the loop does in one turn anyway. */
const QUICK_MS = 0.02;
const QUICK_SLICE_MS = 10;

/** Of one lane. */
export class Slice {
  #calls = 0;
  #ms = 0;
  readonly #onTurn = (): void => this.renew();

  /** The loop has another turn. */
  renew(): void {
    this.#calls = 0;
    this.#ms = 0;
  }

  /** False: no more in this turn. */
  begins(): boolean {
    if (this.#calls === 0) setImmediate(this.#onTurn);
    else if (this.#isOver) return false;
    this.#calls++;
    return true;
  }

  /** The one that began has held the loop for so long, in milliseconds. */
  spend(ms: number): void {
    this.#ms += ms;
  }

  get #isOver(): boolean {
    const most = this.#ms < this.#calls * QUICK_MS ? QUICK_SLICE_MS : SLICE_MS;
    return this.#ms >= most || this.#calls >= MOST_PER_SLICE;
  }
}
