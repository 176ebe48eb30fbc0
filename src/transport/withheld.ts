// Answers to what came before the servers were out of sight: they wait until it is clear that the servers still mean the same messages.
import type { Connection } from './connection.js';
import type { Answer } from './delivered.js';
import type { Unsettled } from './unsettled.js';

/** An answer, and where it goes. */
interface Reply {
  readonly subject: string;
  readonly answer: Answer;
}

/**
 * Servers that were killed may have forgotten the end of a stream, and give its sequences to other messages: an answer by its old
 * subject would let go of one of those. Belongs to one feed. Runs on the main thread.
 */
export class Withheld {
  /** By sequence: settled, and not told. */
  readonly #replies = new Map<number, Reply>();

  /** The servers are out of sight. @param unsettled all that is here */
  doubt(unsettled: Iterable<Unsettled>): void {
    for (const entry of unsettled) entry.isDoubted = true;
  }

  /** It is settled. True: its answer waits here. */
  keeps(entry: Unsettled, answer: Answer): boolean {
    if (entry.isDoubted) this.#replies.set(entry.sequence, { subject: entry.reply, answer });
    return entry.isDoubted;
  }

  /** Something came of this sequence: what waited for that, if anything did, is not to be sent by its old subject any more. */
  take(sequence: number): Answer | undefined {
    const reply = this.#replies.get(sequence);
    this.#replies.delete(sequence);
    return reply?.answer;
  }

  /**
   * All that was delivered and is not here has come again: sends what may be sent now.
   *
   * @param upTo up to this sequence the servers know what they delivered; what lies above comes again as new, or never
   */
  flows(upTo: number, unsettled: Iterable<Unsettled>, connection: Pick<Connection, 'sendSoon'>): void {
    for (const entry of unsettled) if (entry.sequence <= upTo) entry.isDoubted = false;
    for (const [sequence, { subject, answer }] of this.#replies) {
      if (sequence > upTo) continue;
      connection.sendSoon(subject, answer);
      this.#replies.delete(sequence);
    }
  }
}
