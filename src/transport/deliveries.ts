// Takes what a server delivers out of the bytes that come, before the client reads them: it makes half a dozen views of each message.
import { asBuffer } from '../shared/views.js';
import type { Incoming } from './connection-words.js';
import { Line } from './line.js';

/** What the client has for it; not part of its documented surface. */
export interface ClientParser {
  /** 0: what comes next begins a message. */
  readonly state: number;
  parse(bytes: Uint8Array): void;
}

/** @param message it has a reply subject; its headers are left out. Must not throw */
export type Take = (message: Incoming) => void;

const BETWEEN_MESSAGES = 0;

class Taken implements Incoming {
  readonly #bytes: Buffer;
  readonly #subjectAt: number;
  readonly #subjectEnd: number;
  readonly reply: string;
  readonly data: Uint8Array;

  constructor(bytes: Buffer, { subjectAt, subjectEnd, replyAt, replyEnd, dataAt, dataEnd }: Line) {
    this.#bytes = bytes;
    this.#subjectAt = subjectAt;
    this.#subjectEnd = subjectEnd;
    this.reply = bytes.toString('utf8', replyAt, replyEnd);
    this.data = bytes.subarray(dataAt, dataEnd);
  }

  get subject(): string {
    return this.#bytes.toString('utf8', this.#subjectAt, this.#subjectEnd);
  }
}

/** In the place of the client's own parser, which gets all that is not taken here, in order. Belongs to one socket. */
export class Deliveries implements ClientParser {
  readonly #client: ClientParser;
  readonly #takers: ReadonlyMap<number, Take>;
  readonly #line = new Line();
  /** The beginning of a message; worth another look once it has so many bytes. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #worthBytes = 0;
  /** Something came that is not known here: the client has all from there on. */
  #isOver = false;

  /** @param takers by the client's number of their subscription */
  constructor(client: ClientParser, takers: ReadonlyMap<number, Take>) {
    this.#client = client;
    this.#takers = takers;
  }

  get state(): number {
    return this.#client.state;
  }

  parse(chunk: Uint8Array): void {
    // It may have been in the middle of a message when this one took its place.
    if (this.#isOver || this.#client.state !== BETWEEN_MESSAGES) {
      this.#client.parse(chunk);
      return;
    }
    let bytes = asBuffer(chunk);
    if (this.#begunBytes > 0) {
      this.#keep(bytes, this.#worthBytes);
      if (this.#begunBytes < this.#worthBytes) return;
      bytes = Buffer.concat(this.#begun);
      this.#begun = [];
      this.#begunBytes = 0;
    }
    this.#read(bytes);
  }

  #read(bytes: Buffer): void {
    const line = this.#line;
    let handedOn = 0;
    let at = 0;
    while (at < bytes.length) {
      if (!line.read(bytes, at)) {
        this.#isOver = true;
        break;
      }
      if (line.end > bytes.length) {
        this.#handOn(bytes, handedOn, at);
        this.#keep(bytes.subarray(at), line.end - at);
        return;
      }
      const start = at;
      at = line.end;
      const take = line.hasReply ? this.#takers.get(line.subscription) : undefined;
      if (take === undefined) continue;
      this.#handOn(bytes, handedOn, start);
      handedOn = at;
      take(new Taken(bytes, line));
    }
    this.#handOn(bytes, handedOn, bytes.length);
  }

  #handOn(bytes: Buffer, from: number, end: number): void {
    if (end > from) this.#client.parse(bytes.subarray(from, end));
  }

  #keep(begun: Buffer, worthBytes: number): void {
    this.#begun.push(begun);
    this.#begunBytes += begun.length;
    this.#worthBytes = worthBytes;
  }
}
