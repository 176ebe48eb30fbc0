// Brings the messages of one partition to one subscription, and lets go of each when it is settled.
import type { Timer } from '../shared/clock.js';
import type { Incoming } from './connection-words.js';
import { ACK, type Answer, type Brought, ReplyReader, TERM, WORKING } from './delivered.js';
import type { FeedParts } from './feed-parts.js';
import { handOver } from './hand-over.js';
import { highestOf, InOrder } from './in-order.js';
import { MARK_STEP, raiseAhead } from './lease.js';
import { pastOf, returnedOf } from './past.js';
import { hereOf } from './presence.js';
import { Pull, type PullEnd } from './pull.js';
import { Remembered } from './remembered.js';
import type { Settlement, Ticket } from './transport.js';
import { Unsettled } from './unsettled.js';
import { Window } from './window.js';
import { isOpening } from './wire.js';
import { Withheld } from './withheld.js';

/** How soon to try again to make sure of a lease, in milliseconds. */
const ASSURE_AGAIN_MS = 100;

/** Runs on the main thread. */
export class Feed {
  readonly #parts: FeedParts;
  /** Undefined: the pattern stands for several. */
  readonly #onlyTopic: string | undefined;
  readonly #replies: ReplyReader;
  readonly #pull: Pull;
  readonly #settled = new Remembered();
  readonly #withheld: Withheld;
  /** The highest sequence that came. */
  #highest = 0;
  /** By sequence: what came above the mark, or while the lease was in doubt, waits, in order, until it may start. */
  readonly #inDoubt = new Map<number, Brought>();
  #isAssuring = false;
  readonly #inOrder: InOrder;
  readonly #window: Window;
  #isAsking = false;
  #isClosed = false;
  /** What still comes is for the next holder: its predecessors may be, too. */
  #isLeaving = false;
  readonly #timer: Timer;
  #onSettled: (() => void)[] = [];

  constructor(parts: FeedParts) {
    this.#parts = parts;
    const { connection, clock, names, consumer, subject, pullMs, report, intake } = parts;
    const { stream } = names;
    this.#pull = new Pull({
      ...{ connection, clock, stream, consumer, pullMs },
      onDelivery: (message, isLast) => this.#delivered(message, isLast),
      onEnd: (end) => this.#ended(end),
    });
    this.#replies = new ReplyReader(stream, consumer);
    this.#window = new Window({ ...parts.window, largest: () => connection.largestMessage });
    this.#withheld = new Withheld(parts, this.#window.unsettled, () => this.#isAsking || this.#isClosed);
    this.#onlyTopic = /[*>]/.test(intake.pattern) ? undefined : intake.pattern;
    this.#highest = parts.lease.mark;
    this.#inOrder = new InOrder({
      ...{ connection, clock, stream, consumer, subject, pullMs, report },
      here: hereOf(this.#window.unsettled, this.#inDoubt),
      hand: (brought) => this.#take(brought),
      dropped: (brought) => this.#leave(brought),
      askNoMore: () => this.#pull.open(),
      ask: () => this.ask(),
      // Else the first messages would come before the mark is raised, and wait for that.
      newAbove: (sequence) => {
        this.#withheld.seen(sequence);
        raiseAhead(parts.lease, sequence);
      },
      flows: (upToIt) => void this.#withheld.flows(upToIt),
    });
    this.#timer = clock.every(Math.max(50, parts.ackWaitMs / 4), () => this.#extend());
  }

  get unsettled(): number {
    return this.#window.unsettled.size;
  }

  /** What came, is not settled, and was, or was not, told here before. From now on nothing more is handed over. */
  returnable(wasTold: boolean): Ticket[] {
    this.#isLeaving = true;
    this.#takeDoubtful();
    this.#tellSettled();
    const entries = [...this.#window.unsettled.values()].filter(({ isAskedBack }) => isAskedBack === wasTold);
    for (const entry of entries) entry.isAskedBack = true;
    return entries;
  }

  /** Asks for messages from now on. What holders before left unsettled comes first. */
  start(): void {
    if (this.#isAsking || this.#isClosed) return;
    this.#isAsking = true;
    if (this.#parts.connection.isUp) this.#inOrder.begin();
  }

  /** The highest sequence that may have been started, here or before. */
  get highest(): number {
    return this.#highest;
  }

  /** Asks for nothing more; resolves once nothing is on its way. */
  async pause(): Promise<void> {
    this.#isAsking = false;
    await this.#pull.close();
    if (this.#isAsking) return;
    // Not before: what is not taken comes to the next one as if it had vanished with a process.
    this.#inOrder.halt();
    await this.#pull.close();
    this.#withheld.answer();
  }

  /** Resolves once everything that came is settled, and told as far as it can be, or will come elsewhere. */
  async settled(): Promise<void> {
    const settled = new Promise<void>((done) => this.#onSettled.push(done));
    this.#tellSettled();
    await settled;
    await this.#withheld.answered;
  }

  #tellSettled(): void {
    if (!this.#isClosed && this.#window.unsettled.size + this.#inDoubt.size > 0) return;
    if (this.#onSettled.length > 0) for (const done of this.#onSettled.splice(0)) done();
  }

  /** What is still to be settled is no longer extended, nor waited for: it comes to whoever has the partition next. */
  close(): void {
    this.#isAsking = false;
    this.#isClosed = true;
    this.#inOrder.halt();
    this.#inDoubt.clear();
    this.#tellSettled();
    this.#timer.cancel();
    void this.#pull.close();
  }

  /** The connection is lost. */
  lost(): void {
    this.#withheld.doubt();
    // By their old subjects, other messages might be acknowledged: they come again.
    for (const brought of this.#inDoubt.values()) this.#leave(brought);
    this.#inDoubt.clear();
    this.#inOrder.halt();
    this.#tellSettled();
    void this.#pull.close();
  }

  /** The connection is there again: messages and acknowledgements may be gone. What was not let go of comes again. */
  reconnected(): void {
    if (this.#isAsking) this.#inOrder.begin();
    else this.#withheld.answer();
  }

  /** Asks for as much as there is room for, if it is worth it and nothing was asked already. */
  ask(): void {
    const { connection, lease, hasRoom } = this.#parts;
    if (!this.#isAsking || !connection.isUp || !hasRoom()) return;
    if (this.#pull.isRunning) {
      if (this.#pull.isLost) this.#inOrder.begin();
      return;
    }
    const batch = this.#window.batch(this.#inDoubt.size, this.#inOrder.wanted);
    if (batch !== undefined && lease.isTrusted) this.#pull.ask(batch);
  }

  #delivered(message: Incoming, isLast: boolean): void {
    const { reply = '' } = message;
    const delivery = this.#replies.read(reply);
    if (delivery !== undefined) this.#inOrder.came({ delivery, message, reply, data: message.data });
    if (isLast) this.#inOrder.ended();
    if (!this.#pull.isRunning) this.ask();
  }

  #ended(end: PullEnd): void {
    if (end === 'too small') this.#window.wasTooSmall();
    // Such as by a new leader: that may have cost messages.
    if (end === 'broken') this.#inOrder.begin();
    else this.#inOrder.ended();
    this.ask();
  }

  #take(brought: Brought): void {
    const { reply, data } = brought;
    const { sequence } = brought.delivery;
    const { lease, connection } = this.#parts;
    if (isOpening(data)) {
      connection.send(reply, ACK);
      return;
    }
    if (sequence <= this.#highest && this.#hasCome(brought)) return;
    if (this.#isLeaving) {
      this.#leave(brought);
      return;
    }
    const isSure = sequence <= lease.mark && lease.isTrusted;
    if (!isSure || this.#inDoubt.size > 0) {
      const before = this.#inDoubt.get(sequence);
      if (before !== undefined) this.#leave(before);
      this.#inDoubt.set(sequence, brought);
      void this.#assure();
      return;
    }
    raiseAhead(lease, sequence);
    this.#hand(brought);
  }

  /** True: it is here already, or was. */
  #hasCome({ delivery, reply }: Brought): boolean {
    const known = this.#window.unsettled.get(delivery.sequence);
    const answer = this.#withheld.take(delivery.sequence) ?? ACK;
    if (known?.stamp === delivery.stamp) known.comesAgain(reply, delivery);
    else if (this.#settled.has(delivery)) this.#parts.connection.send(reply, answer);
    else return false;
    return true;
  }

  /** Makes sure that this process holds the partition, and that a successor would know what may have started. */
  async #assure(): Promise<void> {
    if (this.#isAssuring) return;
    this.#isAssuring = true;
    const { lease, clock } = this.#parts;
    while (this.#inDoubt.size > 0 && !lease.isLost && !this.#isClosed) {
      const isWritten = await lease.raiseMark(highestOf(this.#inDoubt) + MARK_STEP);
      if (isWritten && lease.isTrusted) this.#takeDoubtful();
      else await new Promise<void>((resume) => clock.after(ASSURE_AGAIN_MS, resume));
    }
    this.#isAssuring = false;
    if (lease.isLost) this.#inDoubt.clear();
    this.#tellSettled();
    this.ask();
  }

  #takeDoubtful(): void {
    const doubtful = [...this.#inDoubt.values()];
    this.#inDoubt.clear();
    for (const brought of doubtful) this.#take(brought);
  }

  #hand(brought: Brought): void {
    const { delivery, message, reply, data } = brought;
    const past = pastOf(brought, this.#parts.lease.returned, this.#highest);
    if (delivery.sequence > this.#highest) this.#highest = delivery.sequence;
    const now = this.#parts.clock.elapsed();
    const entry = new Unsettled(this, delivery, data.byteLength, past.vanished, reply, now);
    this.#window.add(entry);
    const topic = this.#onlyTopic ?? this.#parts.names.topicOf(message.subject);
    handOver(this.#parts, topic, brought, past, entry);
  }

  /** It came, and no handler sees it here. */
  #leave(brought: Brought): void {
    const { delivery, reply, data } = brought;
    const { connection, lease } = this.#parts;
    const answer = this.#withheld.take(delivery.sequence);
    const isSettled = this.#settled.has(delivery);
    if (isSettled && answer !== undefined) connection.send(reply, answer);
    if (isSettled || isOpening(data)) return;
    const past = pastOf(brought, lease.returned, this.#highest);
    lease.returned.set(delivery.sequence, returnedOf(delivery.count, past));
  }

  /** @internal called by a ticket */
  settle(entry: Unsettled, settlement: Settlement): void {
    const waits = settlement === 'succeeded' && !this.#parts.areHandlersStored();
    if (waits) this.#parts.afterHandlers(() => this.#letGo(entry, ACK));
    else this.#letGo(entry, settlement === 'deadLettered' ? TERM : ACK);
  }

  /** @internal called by a ticket. The next holder takes it back from the server. */
  release(entry: Unsettled, started: number): void {
    if (!this.#window.delete(entry)) return;
    const { sequence, count, vanished } = entry;
    this.#parts.lease.returned.set(sequence, returnedOf(count, { vanished, started }));
    this.#tellSettled();
  }

  #letGo(entry: Unsettled, answer: Answer): void {
    if (!this.#window.delete(entry)) return;
    this.#settled.add(entry);
    this.#parts.lease.returned.delete(entry.sequence);
    // Another process has it, or will, and counts on what the server says of it.
    if (this.#isClosed) return;
    // Without a connection nothing is sent: the server brings it again, and it is remembered.
    if (!this.#withheld.keeps(entry, answer)) this.#parts.connection.sendSoon(entry.reply, answer);
    this.#tellSettled();
    if (!this.#pull.isRunning) this.ask();
  }

  /** Handlers run long, or much waits: says so, before the server brings it again. */
  #extend(): void {
    const { connection, clock, ackWaitMs, lease } = this.#parts;
    this.ask();
    // Else a successor would get what is extended now after what is not, and keys would lose their order.
    if (!lease.isTrusted) return;
    const now = clock.elapsed();
    for (const entry of this.#window.unsettled.values())
      if (entry.isDue(now, ackWaitMs / 4)) connection.send(entry.reply, WORKING);
    for (const { reply } of this.#inOrder.held) connection.send(reply, WORKING);
  }
}
