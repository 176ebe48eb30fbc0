// Letters that are being replayed: what fails again goes back into its letter, not into a new one.
import type { LetterHeader } from './shared/logging-task.js';
import type { DeadLetterReason } from './shared/report.js';

/** How a replay ended: as the letter that it failed with, for the reason that it was not tried, or handled. */
type ReplayEnd = LetterHeader | DeadLetterReason | 'handled';

/** By message number; null: nothing is known yet. Belongs to one bus; runs on the main thread. */
export class Replays {
  readonly #running = new Map<number, ReplayEnd | null>();

  begin(number: number): void {
    this.#running.set(number, null);
  }

  has(number: number): boolean {
    return this.#running.has(number);
  }

  /** What would have become another letter. One that was not tried, or was cut off by a stop, keeps the cause it has. */
  failed(number: number, letter: LetterHeader): void {
    const wasTried = letter.started > 0 && letter.reason !== 'shutdown';
    this.#running.set(number, wasTried ? letter : letter.reason);
  }

  /** Its handler is done, though there is no reply: it discarded the message, or the reply could not be encoded. */
  handled(number: number): void {
    if (this.has(number)) this.#running.set(number, 'handled');
  }

  /** Null: nobody said so. */
  end(number: number): ReplayEnd | null {
    const end = this.#running.get(number) ?? null;
    this.#running.delete(number);
    return end;
  }
}
