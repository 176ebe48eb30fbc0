// Shows main that this thread's loop turns while several handlers are under way: none of them blocks the thread then.
import { systemClock } from '../../src/shared/clock.js';
import type { DrainTurn } from './turn.js';

/** Main takes a loop for one that stands still after five of these, in milliseconds. */
const BEAT_MS = 50;

/** Belongs to one drain. Real time: a stepped clock gives no thread time to run. */
export class Heartbeat {
  readonly #turn: DrainTurn;
  readonly #isNeeded: () => boolean;
  #beats = false;

  /** @param isNeeded asked at each beat */
  constructor(turn: DrainTurn, isNeeded: () => boolean) {
    this.#turn = turn;
    this.#isNeeded = isNeeded;
  }

  /** Beats for as long as it is needed. Costs nothing while it beats already. */
  keep(): void {
    if (this.#beats || !this.#isNeeded()) return;
    this.#beats = true;
    systemClock.after(BEAT_MS, () => {
      this.#beats = false;
      // Not after the drain's end: the words are another drain's then.
      if (this.#isNeeded()) this.#turn.beat();
      this.keep();
    });
  }
}
