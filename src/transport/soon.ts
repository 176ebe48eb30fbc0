// What is sent a moment later, together with others: each write to the socket costs more than what is written.
import { systemClock } from '../shared/clock.js';

const SOON_MS = 4;

/** Belongs to one connection. Runs on the main thread. */
export class Soon {
  readonly #send: (subjects: readonly string[], text: string) => void;
  #subjects: string[] = [];
  /** The same for all of them, as nearly all are acknowledgements: so many pairs would be made and thrown away. */
  #text = '';

  constructor(send: (subjects: readonly string[], text: string) => void) {
    this.#send = send;
  }

  add(subject: string, text: string): void {
    if (text !== this.#text) this.sendAll();
    if (this.#subjects.length === 0) systemClock.after(SOON_MS, () => this.sendAll());
    this.#text = text;
    this.#subjects.push(subject);
  }

  /** Sends what there is now. */
  sendAll(): void {
    if (this.#subjects.length === 0) return;
    this.#send(this.#subjects, this.#text);
    this.#subjects = [];
  }
}
