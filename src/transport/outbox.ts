// Published messages until the server has stored them: a bounded buffer that survives lost connections and answers.
import type { Clock, Timer } from '../shared/clock.js';
import { BusbarError } from '../shared/errors.js';
import { Fifo } from '../shared/fifo.js';
import { within } from '../shared/within.js';
import type { Connection } from './connection.js';
import type { Incoming, Listening } from './connection-words.js';
import { FromHandlers } from './from-handlers.js';
import { Keeping } from './keeping.js';
import { type Entry, entryOf, headerOf, isNamed } from './outbox-entry.js';
import type { Outgoing } from './outgoing.js';
import { answerOf } from './publish-answer.js';
import { Room, type RoomLimits } from './room.js';
import { tooLargeForServer } from './too-large.js';
import { cannotStore, settingsError } from './transport-errors.js';
import { markSentAgain } from './wire.js';

export interface OutboxParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly limits: RoomLimits;
  /** Keeps a message that will never be stored. Resolves once it is safe. Never rejects. */
  readonly keep: (outgoing: Outgoing, problem: Error) => Promise<void>;
  readonly report: (thrown: unknown, context: Record<string, unknown>) => void;
}

/** What may be on its way at the same time: more than that, and the server answers late. */
const MOST_SENT = 4096;
const MOST_SENT_BYTES = 16 * 1024 * 1024;
/** Without an answer for this long, a message is sent again, in milliseconds. The server knows it by its id. */
const ANSWER_TIMEOUT_MS = 4000;
/** How soon a message is sent again that the server could not take now, in milliseconds. */
const AGAIN_MS = 250;
/** How long a server that cannot take messages is not reported again, in milliseconds. */
const TOLD_MS = 10_000;

/**
 * Sends in the order of publishing. Of one key only one message is on its way at a time: else a message that the server
 * loses while a cluster elects its leader would be stored after its successors. Runs on the main thread.
 */
export class Outbox {
  readonly #parts: OutboxParts;
  readonly #inbox: string;
  readonly #listening: Listening;
  readonly #timer: Timer;
  /** Not sent yet, oldest first. */
  readonly #waiting = new Fifo<Entry>();
  readonly #sent = new Map<number, Entry>();
  #sentBytes = 0;
  /** Messages that wait for an earlier one of their key. */
  readonly #byKey = new Map<string, Entry[]>();
  #positions = 0;
  readonly #room: Room<Outgoing>;
  readonly #fromHandlers: FromHandlers;
  readonly #keeping: Keeping;
  #whenEmpty: (() => void)[] = [];
  #again: Timer | undefined;
  /** What was reported last of a server that cannot take messages, and when: `Clock.elapsed()`. */
  #told = { said: '', at: 0 };
  #isClosed = false;
  refused = 0;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#room = new Room(parts.limits, (outgoing) => this.#take(outgoing));
    this.#fromHandlers = new FromHandlers(parts.limits);
    this.#keeping = new Keeping(parts.keep);
    this.#inbox = parts.connection.inbox();
    this.#listening = parts.connection.listen(`${this.#inbox}.*`, (message) => this.#answered(message));
    this.#timer = parts.clock.every(ANSWER_TIMEOUT_MS / 4, () => this.#resendLate());
  }

  /** Messages that are not stored yet, nor kept. */
  get size(): number {
    return this.#room.size;
  }

  /** Messages that were taken, that the servers never had, and that are kept. */
  get kept(): number {
    return this.#keeping.kept;
  }

  /** See {@link FromHandlers.isFull}. */
  get isFullOfHandlers(): boolean {
    return this.#fromHandlers.isFull;
  }

  /** False: there is no room, or it is closed. Who waits until it is stored, waits for room, too. */
  add(outgoing: Outgoing): boolean {
    if (!this.#isClosed) {
      if (outgoing.isFromHandler || this.#room.isFor(outgoing)) {
        this.#take(outgoing);
        return true;
      }
      if (outgoing.onStored !== undefined && this.#room.wait(outgoing)) return true;
    }
    this.refused++;
    return false;
  }

  /**
   * Tells who waits for it that a message will never be stored, or keeps it: it takes room until it is kept, and a handler's input is
   * not settled before. False: it is full, or closed.
   */
  refuse(outgoing: Outgoing, problem: Error): boolean {
    const isTaken = outgoing.isFromHandler || outgoing.onStored !== undefined || this.#room.isForAny();
    if (this.#isClosed || !isTaken) {
      this.refused++;
      return false;
    }
    const entry = this.#enter(outgoing);
    void this.#giveUp(entry, problem).then(() => this.#ended(entry));
    return true;
  }

  #take(outgoing: Outgoing): void {
    const entry = this.#enter(outgoing);
    if (!this.#waitsForItsKey(entry)) this.#waiting.add(entry);
    this.#send();
  }

  #enter(outgoing: Outgoing): Entry {
    const begun = outgoing.isFromHandler ? this.#fromHandlers.begin(outgoing) : undefined;
    const entry = entryOf(this.#positions++, begun, outgoing);
    this.#room.enter(entry);
    return entry;
  }

  /** True: what handlers have published so far is stored. */
  get areHandlersStored(): boolean {
    return this.#fromHandlers.isEmpty;
  }

  /** Calls `then` once it is; at once, when it is. */
  afterHandlers(then: () => void): void {
    this.#fromHandlers.after(then);
  }

  /** See {@link Room.ready}. */
  ready(): Promise<void> {
    return this.#room.ready();
  }

  /** Resolves once everything is stored, or kept. */
  empty(): Promise<void> {
    return this.size === 0 ? Promise.resolve() : new Promise((done) => this.#whenEmpty.push(done));
  }

  /** The connection is there again: what was on its way may be lost, and goes first. */
  reconnected(): void {
    this.#sendAgain([...this.#sent.values()]);
  }

  /** What is published to this subject will never be taken. */
  forbidden(subject: string, problem: Error): void {
    for (const entry of [...this.#sent.values()]) if (entry.subject === subject) this.#end(entry, problem);
  }

  /**
   * Sends no more; answers that are on their way may take so long, in milliseconds. Whoever waits for what is left is told; the rest
   * is kept, and so is what was given up before.
   */
  async close(lastAnswersMs: number): Promise<void> {
    this.#isClosed = true;
    this.#timer.cancel();
    this.#again?.cancel();
    await within(this.#parts.clock, lastAnswersMs, () => this.#listening.drain(), undefined, true);
    const begun = [...this.#sent.values(), ...this.#waiting.takeAll(), ...[...this.#byKey.values()].flat()];
    const left = [...begun.sort((one, other) => one.position - other.position), ...this.#room.close()];
    if (left.length > 0) {
      const what = `${left.length} messages were published and not stored when the bus stopped`;
      const problem = new BusbarError('BUSBAR_SHUTDOWN', what);
      this.#parts.report(problem, { unstored: left.length });
      for (const outgoing of left) void this.#tellOrKeep(outgoing, problem);
    }
    await this.#keeping.over();
  }

  async #tellOrKeep(outgoing: Outgoing, problem: Error): Promise<void> {
    if (outgoing.onStored !== undefined) outgoing.onStored(problem);
    else await this.#keeping.add(outgoing, problem);
  }

  #waitsForItsKey(entry: Entry): boolean {
    if (entry.key === null) return false;
    const behind = this.#byKey.get(entry.key);
    if (behind === undefined) {
      this.#byKey.set(entry.key, []);
      return false;
    }
    behind.push(entry);
    return true;
  }

  #send(): void {
    const { connection, clock } = this.#parts;
    if (this.#isClosed || !connection.isUp) return;
    while (this.#sent.size < MOST_SENT && this.#sentBytes < MOST_SENT_BYTES) {
      const entry = this.#waiting.oldest;
      if (entry === undefined) return;
      // This server may take less than the one before, for which it was published.
      const problem = tooLargeForServer(entry.data, connection.largestMessage);
      if (problem !== undefined) {
        this.#waiting.take();
        this.#over(entry, problem);
        continue;
      }
      const reply = `${this.#inbox}.${entry.position.toString(36)}`;
      if (!connection.send(entry.subject, entry.data, reply, headerOf(entry))) return;
      this.#waiting.take();
      entry.sentAt = clock.elapsed();
      this.#sent.set(entry.position, entry);
      this.#sentBytes += entry.data.byteLength;
    }
  }

  /**
   * In the order of publishing, before what was never sent. A server that was killed knows the ids of what its stream still holds, not
   * of what was handled and removed while the answer was on its way: what is stored then comes twice, and says so.
   */
  #sendAgain(entries: readonly Entry[]): void {
    for (const entry of entries) {
      markSentAgain(entry.data);
      this.#sent.delete(entry.position);
      this.#sentBytes -= entry.data.byteLength;
    }
    this.#waiting.putBack(entries.toSorted((one, other) => one.position - other.position));
    this.#send();
  }

  #resendLate(): void {
    const late = this.#parts.clock.elapsed() - ANSWER_TIMEOUT_MS;
    const entries: Entry[] = [];
    for (const entry of this.#sent.values()) if (entry.sentAt < late) entries.push(entry);
    if (entries.length > 0) this.#sendAgain(entries);
  }

  #answered(message: Incoming): void {
    const position = Number.parseInt(message.subject.slice(this.#inbox.length + 1), 36);
    const entry = this.#sent.get(position);
    if (entry === undefined) return;
    const answer = answerOf(message);
    if (answer.kind === 'stored' || (answer.kind === 'unsure' && !isNamed(entry))) this.#end(entry);
    else if (answer.kind === 'never') this.#end(entry, settingsError(`the stream refuses a message: ${answer.said}`));
    else if (answer.kind === 'later') this.#later(entry, answer.said);
    else {
      entry.unsure++;
      this.#later(entry);
    }
  }

  #end(entry: Entry, problem?: Error): void {
    this.#sent.delete(entry.position);
    this.#sentBytes -= entry.data.byteLength;
    this.#over(entry, problem);
    this.#send();
  }

  /** It is not on its way any more, or never was. */
  #over(entry: Entry, problem?: Error): void {
    if (entry.key !== null) this.#nextOfKey(entry.key);
    if (problem === undefined) {
      entry.onStored?.();
      this.#ended(entry);
    } else void this.#giveUp(entry, problem).then(() => this.#ended(entry));
  }

  async #giveUp(outgoing: Outgoing, problem: Error): Promise<void> {
    this.#parts.report(problem, { subject: outgoing.subject });
    await this.#tellOrKeep(outgoing, problem);
  }

  #ended(entry: Entry): void {
    if (entry.begun !== undefined) this.#fromHandlers.end(entry.begun, entry);
    this.#room.leave(entry);
    if (this.size === 0) for (const done of this.#whenEmpty.splice(0)) done();
  }

  #nextOfKey(key: string): void {
    const next = this.#byKey.get(key)?.shift();
    if (next === undefined) this.#byKey.delete(key);
    else this.#waiting.add(next);
  }

  /** @param said why the server cannot take it now: no leader, no room */
  #later(entry: Entry, said?: string): void {
    entry.sentAt = 0;
    if (this.#again !== undefined) return;
    const { clock, report } = this.#parts;
    const now = clock.elapsed();
    if (said !== undefined && (said !== this.#told.said || now - this.#told.at > TOLD_MS)) {
      this.#told = { said, at: now };
      report(cannotStore(said), { unstored: this.size });
    }
    this.#again = clock.after(AGAIN_MS, () => {
      this.#again = undefined;
      this.#sendAgain([...this.#sent.values()].filter(({ sentAt }) => sentAt === 0));
    });
  }
}
