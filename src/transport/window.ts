// What of a partition is unsettled here, and how much more there is room for, in messages and in bytes of them.
import { ByNumber } from '../shared/by-number.js';
import type { Unsettled } from './unsettled.js';

/** What to ask the server for. */
export interface Batch {
  readonly messages: number;
  readonly bytes: number;
}

export interface WindowParts {
  readonly messages: number;
  readonly bytes: number;
  /** No message is larger, in bytes. */
  readonly largest: () => number;
}

/** The server counts subjects as well: larger than any, in bytes. */
const SUBJECT_BYTES = 4096;

/** Runs on the main thread. */
export class Window {
  readonly #parts: WindowParts;
  /** By sequence. */
  readonly #unsettled = new ByNumber<Unsettled>();
  #bytes = 0;
  /** With fewer bytes the next message does not come. */
  #fewest = 0;
  #asked = 0;

  constructor(parts: WindowParts) {
    this.#parts = parts;
  }

  get unsettled(): Omit<ByNumber<Unsettled>, 'add' | 'delete'> {
    return this.#unsettled;
  }

  /** In the place of another one of its sequence: the server has forgotten that. */
  add(entry: Unsettled): void {
    const before = this.#unsettled.get(entry.sequence);
    if (before !== undefined) this.delete(before);
    this.#unsettled.add(entry.sequence, entry);
    this.#bytes += entry.bytes;
    this.#fewest = 0;
  }

  /** False: it is not here any more. */
  delete(entry: Unsettled): boolean {
    if (this.#unsettled.get(entry.sequence) !== entry) return false;
    this.#bytes -= entry.bytes;
    return this.#unsettled.delete(entry.sequence);
  }

  /**
   * Undefined: it is not worth it yet.
   *
   * @param beside messages that are here beside those
   * @param missing so many are to come before anything new; infinite: none
   */
  batch(beside: number, missing: number): Batch | undefined {
    const { messages: most, bytes: mostBytes, largest } = this.#parts;
    const isNew = missing === Number.POSITIVE_INFINITY;
    const messages = isNew ? most - this.#unsettled.size - beside : missing;
    if (messages < Math.max(1, Math.min(missing, most >> 2))) return undefined;
    const all = Math.max(mostBytes, largest() + SUBJECT_BYTES);
    // What is missing holds up all else.
    if (!isNew) return this.#ask(messages, all);
    // One that is larger than all the room there is has it to itself.
    if (this.#bytes === 0 && this.#fewest > mostBytes) return this.#ask(1, all);
    const bytes = mostBytes - this.#bytes;
    return bytes < Math.max(mostBytes >> 2, this.#fewest) ? undefined : this.#ask(messages, bytes);
  }

  #ask(messages: number, bytes: number): Batch {
    this.#asked = bytes;
    return { messages, bytes };
  }

  /** What was asked for last had no room for the next message. */
  wasTooSmall(): void {
    this.#fewest = this.#asked + 1;
  }
}
