// What lanes tell: handed to settle, publish, the replies, or those who listen to the bus.
import type { Breakers } from './breakers.js';
import type { BusEmitter } from './events.js';
import type { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Publisher } from './publish.js';
import type { Remote } from './remote.js';
import type { Replies } from './replies.js';
import type { ResolvedBusOptions } from './resolved-options.js';
import type { Settler } from './settle.js';
import { BusbarError } from './shared/errors.js';
import { Outcome, type ReadOutcome } from './shared/outcome.js';
import type { LaneEvents } from './threads/lane-contract.js';
import { loadError } from './threads/load-failure.js';

export interface NewsParts {
  readonly options: ResolvedBusOptions;
  readonly settler: Settler;
  readonly publisher: Publisher;
  readonly replies: Replies;
  readonly breakers: Breakers;
  readonly events: BusEmitter;
  readonly notes: FailureNotes;
  /** Null: all is in memory. */
  readonly remote: Remote | null;
}

/** Belongs to one bus. Runs on the main thread. */
export class News {
  readonly #parts: NewsParts;

  constructor(parts: NewsParts) {
    this.#parts = parts;
  }

  /** What a lane of this subscription calls. */
  eventsOf(subscription: LiveSubscription): LaneEvents {
    const { settler, replies, notes } = this.#parts;
    return {
      handedBack: (delivery, outcome) => settler.handedBack(subscription, delivery, outcome),
      killed: (delivery, kill) => settler.killed(subscription, delivery, notes.killed(delivery, kill), kill.cause),
      news: (outcome) => this.#news(subscription, outcome),
      replied: (reply) => replies.resolve(reply),
      suspected: (delivery) => settler.suspected(subscription, delivery),
      handled: (number) => this.#parts.remote?.settled(number, 'succeeded'),
      heard: () => this.#noticeBreaker(subscription),
      lingers: (ms) =>
        this.#threadTrouble(
          subscription,
          `a lane's thread was ended, and still runs ${ms} ms later, in a native call; the lane is held until it is gone`,
        ),
      unloaded: (failure) =>
        settler.report(notes.incident(`subscription ${subscription.options.breakerName}`, loadError(failure), 'setup')),
      storm: (deaths) =>
        this.#threadTrouble(
          subscription,
          `a lane's thread died ${deaths} times without a message to blame; the lane is held`,
        ),
    };
  }

  #news(subscription: LiveSubscription, outcome: ReadOutcome): void {
    const { settler, publisher, events, notes, options } = this.#parts;
    const { subscriberId } = subscription;
    switch (outcome.kind) {
      case Outcome.RECOVERED:
        settler.recovered(subscription, outcome.detail.number);
        break;
      case Outcome.PUBLISHED:
        publisher.publishEncoded(outcome.detail, outcome.bytes);
        break;
      case Outcome.LOGGED:
        events.emit('log', { ...outcome.detail, subscriberId });
        break;
      case Outcome.THREW_LATE: {
        const { failure, id, topic } = outcome.detail;
        const context = { message_id: id, topic, subscriber_id: subscriberId };
        settler.report(notes.incidentOf(`subscription ${subscription.options.breakerName}`, failure, context));
        break;
      }
      case Outcome.SUCCEEDED:
        options.testing?.settled({ ...outcome.detail, subscriberId, outcome: 'succeeded', reason: null });
        break;
      default:
    }
  }

  #threadTrouble({ options }: LiveSubscription, what: string): void {
    const { settler, notes } = this.#parts;
    const error = new BusbarError('BUSBAR_WORKER_LOST', what);
    settler.report(notes.incident(`subscription ${options.breakerName}`, error, 'thread'));
  }

  #noticeBreaker({ breaker, options }: LiveSubscription): void {
    if (breaker !== null) this.#parts.breakers.lookAt(options.breakerName);
  }
}
