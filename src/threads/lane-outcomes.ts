// What a lane's worker tells, read from the outbox: handed to those who listen, and what comes back, back to the lane.
import { type Delivery, ownDelivery, readDelivery } from '../shared/delivery.js';
import { asksMain } from '../shared/order.js';
import { handsBack, Outcome, outcomeKind, type ReadOutcome, readHandled, readOutcome } from '../shared/outcome.js';
import { PartReader } from '../shared/parts.js';
import { ReplyReader } from '../shared/reply.js';
import { KnownFailures } from './known-failures.js';
import type { LaneEvents, LaneOptions } from './lane-contract.js';
import type { LaneQueue } from './lane-queue.js';
import type { LaneSignals } from './lane-signals.js';

/** As many replies cost about as much as another outcome. */
const WEIGHT = 4;

/** The lane that the outcomes are of. */
interface OutcomesOwner {
  /** A head that others wait for came back unread: it goes again at once. */
  queue(delivery: Delivery): void;
}

/** Belongs to one lane. Runs on the main thread. */
export class LaneOutcomes {
  readonly #options: LaneOptions;
  readonly #queue: LaneQueue;
  readonly #signals: LaneSignals;
  readonly #events: LaneEvents;
  readonly #owner: OutcomesOwner;
  readonly #known = new KnownFailures();
  readonly #parts = new PartReader();
  readonly #replies: ReplyReader;
  readonly #takeParts = () => this.#parts.take();
  /** The thread of this drain has ended itself, to end a function that did not settle. */
  hadAbandoned = false;
  /** Attempts whose functions run on: settled when their thread is gone, and copied, so that it has room to tell of others. */
  readonly #abandoned: { readonly outcome: ReadOutcome; readonly delivery: Delivery }[] = [];

  constructor(options: LaneOptions, queue: LaneQueue, signals: LaneSignals, events: LaneEvents, owner: OutcomesOwner) {
    this.#options = options;
    this.#queue = queue;
    this.#signals = signals;
    this.#events = events;
    this.#owner = owner;
    this.#replies = new ReplyReader(queue.rings.outbox.bytes);
  }

  /** A drain begins; all that its predecessor told was read. */
  begin(): void {
    this.hadAbandoned = false;
    this.#parts.forget();
  }

  /** True when {@link read} would find something, as things are. */
  get hasNext(): boolean {
    return this.#queue.rings.outbox.hasNext;
  }

  /**
   * @param most replies at once; any other outcome counts as some of them
   * @param isWritten the thread that writes into the outbox may run still
   */
  read(most: number, isWritten: boolean): void {
    const { outbox } = this.#queue.rings;
    const first = outbox.cursor;
    const abandoned = isWritten ? [] : this.#abandoned.splice(0);
    for (const { outcome, delivery } of abandoned) this.#settle(outcome, delivery);
    for (let weight = 0; weight < most; ) {
      const word = outbox.next();
      if (word < 0) break;
      const kind = outcomeKind(outbox, word);
      weight += kind === Outcome.REPLIED ? 1 : WEIGHT;
      this.#hear(kind, word, isWritten);
    }
    if (outbox.cursor === first && abandoned.length === 0) return;
    outbox.release();
    this.#events.heard();
  }

  #hear(kind: number, word: number, isWritten: boolean): void {
    const { outbox } = this.#queue.rings;
    if (kind === Outcome.REPLIED) this.#events.replied(this.#replies.read(outbox, word, this.#takeParts));
    else if (kind === Outcome.HANDLED) this.#events.handled(readHandled(outbox, word));
    else if (kind === Outcome.PART) this.#parts.read(outbox, word);
    else this.#take(word, isWritten);
  }

  #take(word: number, isWritten: boolean): void {
    const { rings } = this.#queue;
    const outcome = readOutcome(rings.outbox, word);
    if (!handsBack(outcome.kind)) {
      if (outcome.kind === Outcome.RECOVERED) rings.noteSettled(outcome.address);
      const isApart = outcome.kind === Outcome.PUBLISHED && outcome.detail.isApart === true;
      this.#events.news(isApart ? { ...outcome, bytes: this.#parts.take() } : outcome);
      return;
    }
    const read = readDelivery(rings.outbox, outcome.bodyOffset, this.#options.names);
    const delivery = rings.large.giveBack(ownDelivery(read));
    if (outcome.kind === Outcome.ABANDONED) this.hadAbandoned = true;
    if (outcome.kind === Outcome.ABANDONED && isWritten) this.#abandoned.push({ outcome, delivery });
    else this.#settle(outcome, delivery);
  }

  /** What came back through the outbox, with its payload. */
  #settle(outcome: ReadOutcome, delivery: Delivery): void {
    const { rings, parking } = this.#queue;
    rings.handBack(outcome.address);
    if (outcome.kind === Outcome.BOUNCED) {
      if (!parking.bounced(delivery)) this.#owner.queue(delivery);
      return;
    }
    const { order } = this.#options;
    const known = this.#known.inFull(outcome);
    const settle = (): void => this.#events.handedBack(delivery, known);
    if (order === null || !asksMain(order, known.kind)) {
      settle();
      return;
    }
    parking.whileDeciding(delivery, settle);
    parking.answer();
    this.#signals.ring();
  }
}
