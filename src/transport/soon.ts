// What is sent a moment later, together with others: each write to the socket costs more than what is written.
import { systemClock } from '../shared/clock.js';

const SOON_MS = 4;

/** Belongs to one connection. Runs on the main thread. */
export class Soon {
  readonly #send: (subjects: readonly string[], texts: readonly string[]) => void;
  // Two lists, for a pair of each would be made and thrown away.
  #subjects: string[] = [];
  #texts: string[] = [];

  constructor(send: (subjects: readonly string[], texts: readonly string[]) => void) {
    this.#send = send;
  }

  add(subject: string, text: string): void {
    if (this.#subjects.length === 0) systemClock.after(SOON_MS, () => this.sendAll());
    this.#subjects.push(subject);
    this.#texts.push(text);
  }

  /** Sends what there is now. */
  sendAll(): void {
    if (this.#subjects.length === 0) return;
    this.#send(this.#subjects, this.#texts);
    this.#subjects = [];
    this.#texts = [];
  }
}
