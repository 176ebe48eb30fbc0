// Letters that are being replayed: what fails again goes back into its letter, not into a new one.
import type { LetterHeader } from './shared/logging-task.js';

/** By message number. Belongs to one bus; runs on the main thread. */
export class Replays {
  readonly #running = new Map<number, LetterHeader | null>();

  begin(number: number): void {
    this.#running.set(number, null);
  }

  has(number: number): boolean {
    return this.#running.has(number);
  }

  /** What would have become another letter. */
  failed(number: number, letter: LetterHeader): void {
    this.#running.set(number, letter);
  }

  /** The failure, if it failed. */
  end(number: number): LetterHeader | null {
    const letter = this.#running.get(number) ?? null;
    this.#running.delete(number);
    return letter;
  }
}
