// Answers to what came before the servers were out of sight: they wait until it is clear that the servers still mean the same messages.
import type { Answer } from './delivered.js';
import type { FeedParts } from './feed-parts.js';
import { patiently } from './patience.js';
import type { Unsettled } from './unsettled.js';

/** An answer, and where it goes. */
interface Reply {
  readonly subject: string;
  readonly answer: Answer;
}

type WithheldParts = Pick<FeedParts, 'connection' | 'lease' | 'names' | 'consumer'>;

/**
 * Servers that were killed may have forgotten the end of a stream, and give its sequences to other messages: an answer by its old
 * subject would let go of one of those. Belongs to one feed. Runs on the main thread.
 */
export class Withheld {
  readonly #parts: WithheldParts;
  readonly #unsettled: { values(): Iterable<Unsettled> };
  readonly #isOver: () => boolean;
  /** By sequence: settled, and not told. */
  readonly #replies = new Map<number, Reply>();
  #answered: Promise<void> | undefined;

  /**
   * @param unsettled all that is here
   * @param isOver true: the feed asks for messages, or is closed
   */
  constructor(parts: WithheldParts, unsettled: { values(): Iterable<Unsettled> }, isOver: () => boolean) {
    this.#parts = parts;
    this.#unsettled = unsettled;
    this.#isOver = isOver;
  }

  /** The servers are out of sight. */
  doubt(): void {
    for (const entry of this.#unsettled.values()) entry.isDoubted = true;
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
  flows(upTo: number): void {
    for (const entry of this.#unsettled.values()) if (entry.sequence <= upTo) entry.isDoubted = false;
    for (const [sequence, { subject, answer }] of this.#replies) {
      if (sequence > upTo) continue;
      this.#parts.connection.sendSoon(subject, answer);
      this.#replies.delete(sequence);
    }
  }

  /** The feed asks for nothing, so that nothing comes again here: what the servers say that they have delivered has to do. */
  answer(): void {
    this.#answered = this.#answer();
  }

  /** Resolves once that is done. What the servers do not tell comes again to whoever has the partition next. */
  get answered(): Promise<void> | undefined {
    return this.#answered;
  }

  async #answer(): Promise<void> {
    const isDoubted = [...this.#unsettled.values()].some((entry) => entry.isDoubted);
    if (!isDoubted && this.#replies.size === 0) return;
    const { connection, lease, names, consumer } = this.#parts;
    const isIdle = (): boolean => connection.isUp && !this.#isOver();
    const look = async (): Promise<number> =>
      isIdle() ? (await connection.consumerState(names.stream, consumer)).deliveredUpTo : 0;
    const upTo = await patiently(`looking at consumer ${consumer}`, look).catch(() => 0);
    // Else they may have delivered another message of such a sequence to another process.
    const isHeld = lease.isTrusted || (await lease.renew());
    if (isHeld && isIdle()) this.flows(upTo);
  }
}
