// Dead letters too large for the ring: handed over as queries, and tried again while the disk refuses them.
import { systemClock } from '../shared/clock.js';
import type { LetterHeader } from '../shared/logging-task.js';
import { type LetterName, type LostLetters, nameOf } from './lost-letters.js';

/** What may wait for a disk that refuses it, in bytes; a single letter may have more. */
const MOST_HELD_BYTES = 16 * 1024 * 1024;
/** Before a letter that was refused is tried again, in milliseconds. */
const RETRY_MS = 500;

interface Large {
  readonly name: LetterName;
  onStored: ((isStored: boolean) => void) | undefined;
  readonly bytes: number;
  isRefused: boolean;
}

/** Runs on the main thread. */
export class LargeLetters {
  readonly #store: (header: LetterHeader, payload: Uint8Array) => Promise<void>;
  readonly #waiting = new Set<Large>();
  #refusedBytes = 0;
  /** Letters that the disk has refused, and that are tried again. */
  refused = 0;
  readonly #lost: LostLetters;

  /**
   * @param store rejects when the letter could not be written
   * @param lost hears of letters dropped because the disk fails and too many wait, or because nobody stores them any more
   */
  constructor(store: (header: LetterHeader, payload: Uint8Array) => Promise<void>, lost: LostLetters) {
    this.#store = store;
    this.#lost = lost;
  }

  /** Letters that are not stored yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** @param payload owned by this letter */
  add(header: LetterHeader, payload: Uint8Array, onStored: (isStored: boolean) => void, insists: boolean): void {
    const letter: Large = { name: nameOf(header), onStored, bytes: payload.byteLength, isRefused: false };
    this.#waiting.add(letter);
    void this.#keepTrying(letter, header, payload, insists);
  }

  /** Settles what is left: nobody will store it any more. */
  close(): void {
    for (const letter of this.#waiting) this.#lose(letter);
  }

  async #keepTrying(letter: Large, header: LetterHeader, payload: Uint8Array, insists: boolean): Promise<void> {
    while (this.#waiting.has(letter)) {
      try {
        await this.#store(header, payload);
        this.#end(letter, true);
        return;
      } catch {
        // Told by health, and by the caller when the letter is lost.
        this.#refuse(letter);
        if (!insists) settle(letter, false);
      }
      if (this.#waiting.has(letter)) await new Promise<void>((again) => systemClock.after(RETRY_MS, again));
    }
  }

  #refuse(letter: Large): void {
    if (letter.isRefused || !this.#waiting.has(letter)) return;
    if (this.#refusedBytes > 0 && this.#refusedBytes + letter.bytes > MOST_HELD_BYTES) {
      this.#lose(letter);
      return;
    }
    letter.isRefused = true;
    this.refused++;
    this.#refusedBytes += letter.bytes;
  }

  #lose(letter: Large): void {
    this.#lost.add(letter.name);
    this.#end(letter, false);
  }

  #end(letter: Large, isStored: boolean): void {
    if (!this.#waiting.delete(letter)) return;
    if (letter.isRefused) {
      this.refused--;
      this.#refusedBytes -= letter.bytes;
    }
    settle(letter, isStored);
  }
}

function settle(letter: Large, isStored: boolean): void {
  letter.onStored?.(isStored);
  letter.onStored = undefined;
}
