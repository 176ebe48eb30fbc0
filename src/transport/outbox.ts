// Published messages until the server has stored them: a bounded buffer that survives lost connections and answers.
import type { Clock, Timer } from '../shared/clock.js';
import { BusbarError } from '../shared/errors.js';
import type { Connection } from './connection.js';
import type { Incoming, Listening } from './connection-words.js';
import { type Begun, InTurn } from './in-turn.js';
import type { OnStored } from './transport.js';
import { settingsError } from './transport-errors.js';
import { markSentAgain } from './wire.js';

/** A message that is to be stored. */
export interface Outgoing {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly header: readonly [name: string, value: string][];
  /** Null: no order is promised. */
  readonly key: string | null;
  /** Always taken: its input is not settled before it is stored, and no more inputs are taken while there is no room. */
  readonly isFromHandler: boolean;
  readonly onStored: OnStored | undefined;
}

export interface OutboxLimits {
  readonly messages: number;
  readonly bytes: number;
}

export interface OutboxParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly limits: OutboxLimits;
  readonly report: (thrown: unknown, context: Record<string, unknown>) => void;
}

interface Entry extends Outgoing {
  readonly position: number;
  /** Undefined: no handler waits for it. */
  readonly begun: Begun | undefined;
  /** `Clock.elapsed()`; 0: not sent. */
  sentAt: number;
}

/** What may be on its way at the same time: more than that, and the server answers late. */
const MOST_SENT = 4096;
const MOST_SENT_BYTES = 16 * 1024 * 1024;
/** Without an answer for this long, a message is sent again, in milliseconds. The server knows it by its id. */
const ANSWER_TIMEOUT_MS = 4000;
/** How soon a message is sent again that the server could not take now, in milliseconds. */
const AGAIN_MS = 250;

/**
 * Sends in the order of publishing. Of one key only one message is on its way at a time: else a message that the server
 * loses while a cluster elects its leader would be stored after its successors. Runs on the main thread.
 */
export class Outbox {
  readonly #parts: OutboxParts;
  readonly #inbox: string;
  readonly #listening: Listening;
  readonly #timer: Timer;
  /** Not sent yet, oldest first, from `#next` on. */
  #waiting: Entry[] = [];
  #next = 0;
  readonly #sent = new Map<number, Entry>();
  #sentBytes = 0;
  /** Messages that wait for an earlier one of their key. */
  readonly #byKey = new Map<string, Entry[]>();
  #positions = 0;
  #bytes = 0;
  #size = 0;
  readonly #fromHandlers = new InTurn();
  #whenEmpty: (() => void)[] = [];
  #whenRoom: (() => void)[] = [];
  #again: Timer | undefined;
  refused = 0;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#inbox = parts.connection.inbox();
    this.#listening = parts.connection.listen(`${this.#inbox}.*`, (message) => this.#answered(message));
    this.#timer = parts.clock.every(ANSWER_TIMEOUT_MS / 4, () => this.#resendLate());
  }

  /** Messages that are not stored yet. */
  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    const { messages, bytes } = this.#parts.limits;
    return this.#size >= messages || this.#bytes >= bytes;
  }

  /** False: there is no room. */
  add(outgoing: Outgoing): boolean {
    const { limits } = this.#parts;
    const { isFromHandler } = outgoing;
    const hasRoom = this.#size < limits.messages && this.#bytes + outgoing.data.byteLength <= limits.bytes;
    if (!hasRoom && !isFromHandler) {
      this.refused++;
      return false;
    }
    const begun = isFromHandler ? this.#fromHandlers.begin() : undefined;
    // What a spread is followed by costs microseconds, what it follows does not.
    const entry: Entry = { position: this.#positions++, begun, sentAt: 0, ...outgoing };
    this.#size++;
    this.#bytes += entry.data.byteLength;
    if (!this.#waitsForItsKey(entry)) this.#waiting.push(entry);
    this.#send();
    return true;
  }

  /** Calls `then` once what handlers have published so far is stored; at once, when it is. */
  afterHandlers(then: () => void): void {
    this.#fromHandlers.after(then);
  }

  /** Resolves when the buffer is not full; once it was, when half of it is free again. */
  async ready(): Promise<void> {
    if (this.isFull) await new Promise<void>((resume) => this.#whenRoom.push(resume));
  }

  /** Resolves once everything is stored. */
  empty(): Promise<void> {
    return this.#size === 0 ? Promise.resolve() : new Promise((done) => this.#whenEmpty.push(done));
  }

  /** The connection is there again: what was on its way may be lost, and goes first. */
  reconnected(): void {
    this.#sendAgain([...this.#sent.values()]);
  }

  /** What is published to this subject will never be taken. */
  forbidden(subject: string, problem: Error): void {
    for (const entry of [...this.#sent.values()]) if (entry.subject === subject) this.#end(entry, problem);
  }

  /** What is left is lost, and says so. */
  async close(): Promise<void> {
    this.#timer.cancel();
    this.#again?.cancel();
    const left = [...this.#sent.values(), ...this.#waiting.slice(this.#next), ...[...this.#byKey.values()].flat()];
    if (left.length > 0) {
      const problem = new BusbarError(
        'BUSBAR_SHUTDOWN',
        `${left.length} messages were published and not stored when the bus stopped`,
      );
      this.#parts.report(problem, { unstored: left.length });
      for (const { onStored } of left) onStored?.(problem);
    }
    await this.#listening.drain();
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
    while (this.#next < this.#waiting.length && this.#sent.size < MOST_SENT && this.#sentBytes < MOST_SENT_BYTES) {
      const entry = this.#waiting[this.#next] as Entry;
      if (!connection.send(entry.subject, entry.data, `${this.#inbox}.${entry.position.toString(36)}`, entry.header))
        return;
      entry.sentAt = clock.elapsed();
      this.#sent.set(entry.position, entry);
      this.#sentBytes += entry.data.byteLength;
      this.#next++;
      if (this.#next === this.#waiting.length) {
        this.#waiting = [];
        this.#next = 0;
      }
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
    const inOrder = entries.toSorted((one, other) => one.position - other.position);
    this.#waiting = [...inOrder, ...this.#waiting.slice(this.#next)];
    this.#next = 0;
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
    if (answer.kind === 'stored') this.#end(entry);
    else if (answer.kind === 'never') this.#end(entry, settingsError(`the stream refuses a message: ${answer.said}`));
    else this.#later(entry, answer.said);
  }

  #end(entry: Entry, problem?: Error): void {
    this.#sent.delete(entry.position);
    this.#sentBytes -= entry.data.byteLength;
    this.#size--;
    this.#bytes -= entry.data.byteLength;
    if (entry.key !== null) this.#nextOfKey(entry.key);
    if (problem !== undefined) this.#parts.report(problem, { subject: entry.subject });
    entry.onStored?.(problem);
    if (entry.begun !== undefined) this.#fromHandlers.end(entry.begun);
    if (this.#whenRoom.length > 0) this.#tellRoom();
    if (this.#size === 0) for (const done of this.#whenEmpty.splice(0)) done();
    this.#send();
  }

  /** Those that waited go in their order; they may fill the buffer again, and then the rest waits on. */
  #tellRoom(): void {
    const { messages, bytes } = this.#parts.limits;
    if (this.#size > messages / 2 || this.#bytes > bytes / 2) return;
    for (const resume of this.#whenRoom.splice(0, Math.ceil(messages / 2))) resume();
  }

  #nextOfKey(key: string): void {
    const next = this.#byKey.get(key)?.shift();
    if (next === undefined) this.#byKey.delete(key);
    else this.#waiting.push(next);
  }

  /** The server cannot take it now: no leader, no room. */
  #later(entry: Entry, said: string): void {
    entry.sentAt = 0;
    if (this.#again !== undefined) return;
    const problem = said.startsWith('maximum')
      ? new BusbarError('BUSBAR_QUEUE_FULL', `the stream is full: ${said}`)
      : new BusbarError('BUSBAR_TRANSPORT_CONNECTION', `the server cannot store messages now: ${said}`);
    this.#parts.report(problem, { unstored: this.#size });
    this.#again = this.#parts.clock.after(AGAIN_MS, () => {
      this.#again = undefined;
      this.#sendAgain([...this.#sent.values()].filter(({ sentAt }) => sentAt === 0));
    });
  }
}

type Answer = { readonly kind: 'stored' } | { readonly kind: 'later' | 'never'; readonly said: string };

/** What a stream answers when a message is wrong whoever sends it, and whenever. */
const NEVER = new Set([10054, 10049, 10097, 10060]);

function answerOf(message: Incoming): Answer {
  // Nobody listens: no stream has this subject, or its leader is gone.
  if (message.data.byteLength === 0)
    return { kind: 'later', said: `no stream answers (${message.headers?.code ?? 'no status'})` };
  try {
    const text = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength).toString();
    const { error } = JSON.parse(text) as { error?: { err_code?: number; description?: string } };
    if (error === undefined || error === null) return { kind: 'stored' };
    const said = `${String(error.description).slice(0, 200)} (${error.err_code})`;
    return { kind: NEVER.has(error.err_code ?? 0) ? 'never' : 'later', said };
  } catch {
    return { kind: 'later', said: 'an answer that is no JSON' };
  }
}
