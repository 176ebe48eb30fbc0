// What handlers have published and no server has stored: their inputs are settled after it, and it has a limit of its own.
import { type Begun, InTurn } from './in-turn.js';
import type { RoomLimits, Sized } from './room.js';

/** Runs on the main thread. */
export class FromHandlers {
  readonly #limits: RoomLimits;
  readonly #inTurn = new InTurn();
  #count = 0;
  #bytes = 0;

  constructor(limits: RoomLimits) {
    this.#limits = limits;
  }

  /** Then no more inputs are fetched: their handlers would publish more. What others published has no part in it. */
  get isFull(): boolean {
    return this.#count >= this.#limits.messages || this.#bytes >= this.#limits.bytes;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  begin({ data }: Sized): Begun {
    this.#count++;
    this.#bytes += data.byteLength;
    return this.#inTurn.begin();
  }

  end(begun: Begun, { data }: Sized): void {
    this.#count--;
    this.#bytes -= data.byteLength;
    this.#inTurn.end(begun);
  }

  /** Calls `then` once all that has begun has ended; at once, when it has. */
  after(then: () => void): void {
    this.#inTurn.after(then);
  }
}
