// How many dead letters lie on the servers: asked now and then, so that health need not wait for an answer.
import type { Clock, Timer } from '../shared/clock.js';
import type { TransportHealth } from '../shared/health-status.js';
import type { Connection } from './connection.js';

const LOOK_MS = 5000;
/** How soon to ask again what is unsure, in milliseconds: not at once, for while many are stored that would never end. */
const UNSURE_MS = 200;

/** Runs on the main thread. */
export class LetterCount {
  readonly #connection: Pick<Connection, 'isUp' | 'streamState'>;
  readonly #clock: Clock;
  readonly #stream: string;
  readonly #looks: Timer;
  #known: { count: number; readonly at: number } | undefined;
  #isLooking = false;
  #again: Timer | undefined;
  /** One was stored while the servers were asked: they may have counted it, or not. */
  #isUnsure = false;
  #isClosed = false;

  constructor(connection: Pick<Connection, 'isUp' | 'streamState'>, clock: Clock, stream: string) {
    this.#connection = connection;
    this.#clock = clock;
    this.#stream = stream;
    this.#looks = clock.every(LOOK_MS, () => void this.look());
    void this.look();
  }

  /** For health. */
  get now(): Pick<TransportHealth, 'deadLetters' | 'deadLettersAgeSeconds'> {
    if (this.#known === undefined) return { deadLetters: null, deadLettersAgeSeconds: null };
    const { count, at } = this.#known;
    return { deadLetters: count, deadLettersAgeSeconds: Math.floor((this.#clock.elapsed() - at) / 1000) };
  }

  /** This process has stored one. */
  add(): void {
    if (this.#isLooking) this.#isUnsure = true;
    else if (this.#known !== undefined) this.#known.count++;
  }

  /** Asks the servers. Never rejects: without an answer what is known grows older, and says so. */
  async look(): Promise<void> {
    if (this.#isLooking || !this.#connection.isUp) return;
    this.#isLooking = true;
    this.#isUnsure = false;
    this.#again?.cancel();
    const at = this.#clock.elapsed();
    try {
      const { count } = await this.#connection.streamState(this.#stream, false);
      this.#known = { count, at };
    } catch {
      // Who publishes or consumes hears of the trouble, and reports it.
    }
    this.#isLooking = false;
    if (this.#isUnsure && !this.#isClosed) this.#again = this.#clock.after(UNSURE_MS, () => void this.look());
  }

  close(): void {
    this.#isClosed = true;
    this.#looks.cancel();
    this.#again?.cancel();
  }
}
