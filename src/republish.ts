// Gives a dead letter's message back to the subscription that failed.
import type { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import type { ReplayOutcome, ReplayTarget } from './observe/replay.js';
import type { Publisher } from './publish.js';
import type { Remote } from './remote.js';
import type { Replays } from './replays.js';
import { type Replies, UnreadableReply } from './replies.js';
import { BusbarError } from './shared/errors.js';
import type { LetterSummary, StoredLetter } from './shared/logging-task.js';
import type { SkipReason } from './shared/replay.js';
import type { DeadLetterReason } from './shared/report.js';
import { publishStored } from './stored.js';

export interface RepublishParts {
  readonly publisher: Publisher;
  readonly replies: Replies;
  readonly replays: Replays;
  /** Null: all is in memory. */
  readonly remote: Remote | null;
  readonly notes: FailureNotes;
  /** The subscription of this pattern and subscriberId. */
  readonly find: (pattern: string, subscriberId: string) => LiveSubscription | undefined;
}

/** Belongs to one bus. Runs on the main thread. */
export class Republisher implements ReplayTarget {
  readonly #parts: RepublishParts;

  constructor(parts: RepublishParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#parts.publisher.isOpen;
  }

  standing(letter: Pick<LetterSummary, 'pattern' | 'subscriber_id' | 'reason'>): 'ready' | 'held' | SkipReason {
    if (letter.reason === 'unpublished' && this.isOpen && this.#parts.remote !== null) return 'ready';
    const subscription = this.#subscriptionOf(letter);
    if (subscription === undefined) return this.#whyGone;
    const state = subscription.breaker?.state;
    if (state !== 'open' && state !== 'forced_open') return 'ready';
    return subscription.options.whenOpen === 'hold' ? 'held' : 'breaker_open';
  }

  async replay(letter: StoredLetter): Promise<ReplayOutcome> {
    if (letter.reason === 'unpublished') return this.#publish(letter);
    const subscription = this.#subscriptionOf(letter);
    return subscription === undefined
      ? { kind: 'not-tried', why: this.#whyGone }
      : this.#giveBack(letter, subscription);
  }

  get #whyGone(): SkipReason {
    return this.isOpen ? 'unsubscribed' : 'stopping';
  }

  #whyNotTried(reason: DeadLetterReason | null): SkipReason {
    if (reason === 'overflow') return 'queue_full';
    return reason === 'breaker_open' ? reason : this.#whyGone;
  }

  #subscriptionOf(letter: Pick<LetterSummary, 'pattern' | 'subscriber_id'>): LiveSubscription | undefined {
    const subscription = this.#parts.find(letter.pattern, letter.subscriber_id);
    // One whose handler is still being loaded has no lanes.
    const isThere =
      this.isOpen && subscription !== undefined && !subscription.isClosed && subscription.lanes.length > 0;
    return isThere ? subscription : undefined;
  }

  /** No subscription has had it. Under its own id: the servers may have it all the same, and then know it; not what was edited. */
  async #publish({ message, edits, replays }: StoredLetter): Promise<ReplayOutcome> {
    const { publisher, remote, notes } = this.#parts;
    if (remote === null || !this.isOpen) return { kind: 'not-tried', why: this.#whyGone };
    const { topic, payload, key, priority, headers } = message;
    const id = edits === 0 ? message.id : `${message.id}/replay/${replays}`;
    const options = { id, priority, ...(key === null ? {} : { key }), ...(headers === null ? {} : { headers }) };
    try {
      await publishStored({ publisher, remote }, topic, payload, options, 'letter');
      return { kind: 'succeeded' };
    } catch (thrown) {
      if (thrown instanceof BusbarError && thrown.code === 'BUSBAR_SHUTDOWN')
        return { kind: 'not-tried', why: 'stopping' };
      const failure = notes.unpublished(publisher.outgoing(topic, payload, options), thrown);
      return { kind: 'failed', failure };
    }
  }

  #giveBack(letter: StoredLetter, subscription: LiveSubscription): Promise<ReplayOutcome> {
    const { publisher, replies, replays } = this.#parts;
    const { id, topic, payload, key, priority, headers } = letter.message;
    const options = {
      id: `${id}/replay/${letter.replays}`,
      priority,
      ...(key === null ? {} : { key }),
      ...(headers === null ? {} : { headers }),
    };
    let number = -1;
    const reply = publisher.replay(subscription, topic, payload, options, (its) => {
      number = its;
      replays.begin(its);
      return replies.wait(its, 0, Number.POSITIVE_INFINITY);
    });
    return reply.then(
      (): ReplayOutcome => {
        replays.end(number);
        return { kind: 'succeeded' };
      },
      (thrown: unknown): ReplayOutcome => {
        const end = replays.end(number);
        if (end === 'handled' || thrown instanceof UnreadableReply) return { kind: 'succeeded' };
        // Its letter goes only when the handler is known to be done with it.
        if (end === null || typeof end === 'string') return { kind: 'not-tried', why: this.#whyNotTried(end) };
        return { kind: 'failed', failure: end };
      },
    );
  }
}
