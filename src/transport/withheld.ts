// Answers to what came before the servers were out of sight: they wait until it is clear that the servers still mean the same messages.
import type { Answer } from './delivered.js';
import type { FeedParts } from './feed-parts.js';
import { patiently } from './patience.js';
import type { Unsettled } from './unsettled.js';

/** An answer, and where it goes. */
interface Reply {
  /** Undefined: the servers have forgotten its delivery. */
  subject: string | undefined;
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
  #doubts = 0;

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
    this.#doubts++;
    for (const entry of this.#unsettled.values()) if (entry.trust === 'sure') entry.trust = 'doubted';
  }

  /** It is settled. True: its answer waits here. */
  keeps({ trust, sequence, reply }: Unsettled, answer: Answer): boolean {
    if (trust === 'sure') return false;
    this.#replies.set(sequence, { subject: trust === 'forgotten' ? undefined : reply, answer });
    return true;
  }

  /** Something came of this sequence: what waited for that, if anything did, is not to be sent by its old subject any more. */
  take(sequence: number): Answer | undefined {
    const reply = this.#replies.get(sequence);
    this.#replies.delete(sequence);
    return reply?.answer;
  }

  /**
   * The servers are in sight again. Told before anything is asked for, so that nothing was delivered since they were out of sight:
   * later on they may have delivered other messages by the sequences of what they have forgotten.
   *
   * @param upTo up to this sequence they say that they delivered
   */
  seen(upTo: number): void {
    for (const entry of this.#unsettled.values())
      if (entry.trust === 'doubted' && entry.sequence > upTo) entry.trust = 'forgotten';
    for (const [sequence, reply] of this.#replies) if (sequence > upTo) reply.subject = undefined;
  }

  /**
   * All that was delivered and is not here has come again: sends what may be sent, once it is sure that no other process has had the
   * partition meanwhile, to which they may have delivered another message of such a sequence.
   *
   * @param upTo up to this sequence the servers know what they delivered; what lies above comes again as new, or never
   */
  async flows(upTo: number): Promise<void> {
    if (this.#parts.lease.isTrusted || (await this.#isHeld())) this.#send(upTo);
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
    const isDoubted = [...this.#unsettled.values()].some(({ trust }) => trust !== 'sure');
    if (!isDoubted && this.#replies.size === 0) return;
    const { connection, names, consumer } = this.#parts;
    const isIdle = (): boolean => connection.isUp && !this.#isOver();
    const look = async (): Promise<number> =>
      isIdle() ? (await connection.consumerState(names.stream, consumer)).deliveredUpTo : 0;
    const upTo = await patiently(`looking at consumer ${consumer}`, look).catch(() => 0);
    if (!isIdle() || upTo === 0) return;
    this.seen(upTo);
    await this.flows(upTo);
  }

  /** Servers that elect a leader renew nothing for some seconds. Never rejects. */
  #isHeld(): Promise<boolean> {
    const { lease, consumer } = this.#parts;
    const doubts = this.#doubts;
    const isOver = (): boolean => lease.isLost || doubts !== this.#doubts;
    const hold = async (): Promise<boolean> => {
      const isHeld = lease.isTrusted || (!isOver() && (await lease.renew()));
      if (isHeld || isOver()) return isHeld && !isOver();
      throw new Error('it was not renewed');
    };
    return patiently(`renewing the lease of ${consumer}`, hold).catch(() => false);
  }

  #send(upTo: number): void {
    for (const entry of this.#unsettled.values())
      if (entry.trust === 'doubted' && entry.sequence <= upTo) entry.trust = 'sure';
    for (const [sequence, { subject, answer }] of this.#replies) {
      if (subject === undefined || sequence > upTo) continue;
      this.#parts.connection.sendSoon(subject, answer);
      this.#replies.delete(sequence);
    }
  }
}
