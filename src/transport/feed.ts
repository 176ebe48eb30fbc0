// Brings the messages of one partition to one subscription, and lets go of each when it is settled.
import type { Timer } from '../shared/clock.js';
import type { Incoming, Listening } from './connection-words.js';
import { type Delivered, DeliveredTooOften, deliveryOf } from './delivered.js';
import type { FeedParts } from './feed-parts.js';
import { messagesComeInOrder, type QuietParts, requestsEnd } from './quiet.js';
import { RecentAnswers, Remembered } from './remembered.js';
import type { Arrival, Settlement } from './transport.js';
import { Unsettled } from './unsettled.js';
import { decodeMessage, isOpening, rawMessage, wasSentAgain } from './wire.js';

/** How soon to try again to make sure of a lease, in milliseconds. */
const ASSURE_AGAIN_MS = 100;
/** The mark is raised by this many sequences at a time, before they are needed. */
const MARK_STEP = 8192;
/** A request that the server has not ended this long after its time is lost, in milliseconds. */
const LOST_REQUEST_MS = 1000;
const NANOSECONDS = 1_000_000;

const ACK = Buffer.from('+ACK');
const TERM = Buffer.from('+TERM');
const NAK = Buffer.from('-NAK');
const WORKING = Buffer.from('+WPI');

/** Runs on the main thread. */
export class Feed {
  readonly #parts: FeedParts;
  readonly #pullSubject: string;
  #listening: Listening | undefined;
  #inbox = '';
  readonly #unsettled = new Map<number, Unsettled>();
  readonly #settled = new Remembered();
  /** The highest sequence that came. */
  #highest = 0;
  /** What came above the mark, or while the lease was in doubt: waits, in order, until it may start. */
  #inDoubt: Incoming[] = [];
  #isAssuring = false;
  readonly #acknowledged = new RecentAnswers();
  /** Messages of the running request that have not come. */
  #asked = 0;
  #askedAt = 0;
  #isAsking = false;
  /** Nothing is asked for before it is sure that older messages come first. */
  #isQuieting = false;
  /** False: messages may have been lost on their way since it was last sure that older ones come first. */
  #isWhole = true;
  #isClosed = false;
  readonly #timer: Timer;
  #onSettled: (() => void)[] = [];

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.#pullSubject = `$JS.API.CONSUMER.MSG.NEXT.${parts.names.stream}.${parts.consumer}`;
    this.#highest = parts.lease.mark;
    this.#timer = parts.clock.every(Math.max(50, parts.ackWaitMs / 4), () => this.#extend());
  }

  get unsettled(): number {
    return this.#unsettled.size;
  }

  /**
   * Asks for messages from now on.
   *
   * @param isClean false: the holder before may have left messages unsettled, and they must come first
   */
  start(isClean: boolean): void {
    if (this.#isAsking || this.#isClosed) return;
    this.#isAsking = true;
    this.#open();
    if (isClean && this.#isWhole) this.ask();
    else void this.#quiet();
  }

  /** The highest sequence that may have been started, here or before. */
  get highest(): number {
    return this.#highest;
  }

  /** Asks for nothing more; resolves once nothing is on its way. False: that is not sure, and what is lost comes after its successors. */
  async pause(): Promise<boolean> {
    const { connection } = this.#parts;
    this.#isAsking = false;
    const { losses } = connection;
    const isWhole = connection.isUp && !this.#isQuieting && this.#isWhole;
    const listening = this.#listening;
    this.#listening = undefined;
    await listening?.drain();
    this.#asked = 0;
    const isOver = listening === undefined || (await requestsEnd(this.#quietParts()));
    this.#isWhole = isWhole && isOver && connection.losses === losses;
    return this.#isWhole;
  }

  /** Resolves once everything that came is settled, or will come elsewhere. */
  settled(): Promise<void> {
    if (this.#unsettled.size === 0 && this.#inDoubt.length === 0) return Promise.resolve();
    return new Promise((done) => this.#onSettled.push(done));
  }

  #tellSettled(): void {
    if (this.#unsettled.size > 0 || this.#inDoubt.length > 0) return;
    for (const done of this.#onSettled.splice(0)) done();
  }

  /** What is still to be settled is no longer extended. */
  close(): void {
    this.#isAsking = false;
    this.#isClosed = true;
    this.#inDoubt = [];
    this.#tellSettled();
    this.#timer.cancel();
    void this.#listening?.drain();
    this.#listening = undefined;
  }

  #open(): void {
    void this.#listening?.drain();
    this.#inbox = this.#parts.connection.inbox();
    this.#listening = this.#parts.connection.listen(this.#inbox, (message) => this.#received(message));
    this.#asked = 0;
  }

  /** The connection is lost. A request that outlives it would bring what comes after what got lost with it. */
  lost(): void {
    void this.#listening?.drain();
    this.#listening = undefined;
  }

  /** The connection is there again: messages and acknowledgements may be gone. */
  reconnected(): void {
    if (this.#isAsking) this.#open();
    this.#acknowledged.each((reply, answer) => this.#parts.connection.send(reply, answer));
    void this.#quiet();
  }

  /** Asks for as much as there is room for, if it is worth it and nothing was asked already. */
  ask(): void {
    const { window, connection, lease, pullMs, clock } = this.#parts;
    if (!this.#isAsking || this.#isQuieting || !connection.isUp) return;
    const elapsed = clock.elapsed();
    if (this.#asked > 0) {
      if (elapsed - this.#askedAt > pullMs + LOST_REQUEST_MS) void this.#quiet();
      return;
    }
    const room = window - this.#unsettled.size - this.#inDoubt.length;
    if (room < Math.max(1, window >> 2) || !lease.isTrusted) return;
    const request = { batch: room, expires: pullMs * NANOSECONDS };
    if (!connection.send(this.#pullSubject, JSON.stringify(request), this.#inbox)) return;
    this.#asked = room;
    this.#askedAt = elapsed;
  }

  /** Messages that were delivered and never came would come again after their successors: waits until they come first. */
  async #quiet(): Promise<void> {
    if (this.#isQuieting) return;
    this.#isQuieting = true;
    await messagesComeInOrder(this.#quietParts());
    this.#isQuieting = false;
    this.#isWhole = true;
    this.#asked = 0;
    this.ask();
  }

  #quietParts(): QuietParts {
    const { connection, clock, names, consumer, ackWaitMs, pullMs } = this.#parts;
    const heldUpTo = (sequence: number): number => {
      let held = 0;
      for (const one of this.#unsettled.keys()) if (one <= sequence) held++;
      return held;
    };
    const isOver = (): boolean => this.#isClosed;
    return { connection, clock, stream: names.stream, consumer, ackWaitMs, pullMs, heldUpTo, isOver };
  }

  #received(message: Incoming): void {
    if (message.reply === undefined || message.reply === '') {
      this.#asked = 0;
      // Its time is over, and it says so. Any other end, such as a new leader, may have cost messages.
      const status = message.headers?.code;
      if (status === 408 || status === 404) this.ask();
      else void this.#quiet();
      return;
    }
    if (this.#asked > 0) this.#asked--;
    this.#take(message);
    if (this.#asked === 0) this.ask();
  }

  #take(message: Incoming): void {
    const { reply = '' } = message;
    const delivery = deliveryOf(reply);
    if (delivery === undefined) return;
    const { lease, connection } = this.#parts;
    if (isOpening(message.data)) {
      connection.send(reply, ACK);
      return;
    }
    const known = this.#unsettled.get(delivery.sequence);
    if (known !== undefined) {
      known.reply = reply;
      return;
    }
    if (this.#settled.has(delivery.sequence)) {
      connection.send(reply, ACK);
      return;
    }
    const isSure = lease.isTrusted && delivery.sequence <= lease.mark;
    if (!isSure || this.#inDoubt.length > 0) {
      this.#inDoubt.push(message);
      void this.#assure();
      return;
    }
    const isNear = delivery.sequence > lease.mark - MARK_STEP / 2;
    if (isNear && !lease.isWriting) void lease.raiseMark(lease.mark + MARK_STEP);
    this.#hand(message, delivery);
  }

  /** Makes sure that this process holds the partition, and that a successor would know what may have started. */
  async #assure(): Promise<void> {
    if (this.#isAssuring) return;
    this.#isAssuring = true;
    const { lease, clock } = this.#parts;
    while (this.#inDoubt.length > 0 && !lease.isLost && !this.#isClosed) {
      const last = deliveryOf(this.#inDoubt.at(-1)?.reply ?? '')?.sequence ?? 0;
      const isWritten = await lease.raiseMark(last + MARK_STEP);
      if (isWritten && lease.isTrusted) for (const message of this.#inDoubt.splice(0)) this.#take(message);
      else await new Promise<void>((resume) => clock.after(ASSURE_AGAIN_MS, resume));
    }
    this.#isAssuring = false;
    if (lease.isLost) this.#inDoubt = [];
    this.#tellSettled();
    this.ask();
  }

  #hand(message: Incoming, { sequence, count }: Delivered): void {
    const { intake, names, clock, maxDeliver, consumer } = this.#parts;
    // A server that was killed may have forgotten that it delivered this before, or that it stored it before.
    const mayBeRepeated = sequence <= this.#highest || wasSentAgain(message.data);
    const started = Math.max(count - 1, mayBeRepeated ? 1 : 0);
    if (sequence > this.#highest) this.#highest = sequence;
    const entry = new Unsettled(this, sequence, message.reply ?? '', clock.elapsed());
    this.#unsettled.set(sequence, entry);
    const topic = names.topicOf(message.subject);
    let arrival: Arrival;
    try {
      arrival = { ...decodeMessage(topic, message.data), started };
    } catch (thrown) {
      const raw = rawMessage(topic, message.data, `${names.stream}-${sequence}`, clock.now());
      intake.giveUp({ ...raw, started }, entry, 'not_retryable', thrown);
      return;
    }
    if (started < maxDeliver) intake.take(arrival, entry);
    else intake.giveUp(arrival, entry, 'poison', new DeliveredTooOften(consumer, started));
  }

  /** @internal called by a ticket */
  settle(entry: Unsettled, settlement: Settlement): void {
    if (settlement === 'succeeded') this.#parts.afterHandlers(() => this.#letGo(entry, ACK));
    else this.#letGo(entry, settlement === 'released' ? NAK : settlement === 'dropped' ? ACK : TERM);
  }

  #letGo(entry: Unsettled, answer: Uint8Array): void {
    if (!this.#unsettled.delete(entry.sequence)) return;
    if (answer !== NAK) {
      this.#settled.add(entry.sequence);
      this.#acknowledged.add(entry.reply, answer);
    }
    // Without a connection nothing is sent: the server brings it again, and it is remembered.
    this.#parts.connection.sendSoon(entry.reply, answer);
    this.#tellSettled();
    if (this.#asked === 0) this.ask();
  }

  /** Handlers run long, or much waits: says so, before the server brings it again. */
  #extend(): void {
    const { connection, clock, ackWaitMs, lease } = this.#parts;
    this.ask();
    // Else a successor would get what is extended now after what is not, and keys would lose their order.
    if (!lease.isTrusted) return;
    const now = clock.elapsed();
    for (const entry of this.#unsettled.values()) {
      if (now - entry.heardAt < ackWaitMs / 4) continue;
      entry.heardAt = now;
      connection.send(entry.reply, WORKING);
    }
  }
}
