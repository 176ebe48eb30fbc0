// What is sent a moment later, together with others: each write to the socket costs more than what is written.
import { systemClock } from '../shared/clock.js';

const SOON_MS = 4;

/** Belongs to one connection. Runs on the main thread. */
export class Soon {
  readonly #send: (subject: string, data: Uint8Array) => void;
  // Two lists, for a pair of each would be made and thrown away.
  #subjects: string[] = [];
  #data: Uint8Array[] = [];

  constructor(send: (subject: string, data: Uint8Array) => void) {
    this.#send = send;
  }

  add(subject: string, data: Uint8Array): void {
    if (this.#subjects.length === 0) systemClock.after(SOON_MS, () => this.sendAll());
    this.#subjects.push(subject);
    this.#data.push(data);
  }

  /** Sends what there is now. */
  sendAll(): void {
    const subjects = this.#subjects;
    const data = this.#data;
    this.#subjects = [];
    this.#data = [];
    subjects.forEach((subject, index) => {
      this.#send(subject, data[index] as Uint8Array);
    });
  }
}
