// A reply in a lane's outbox ring. It is read once for every request, so it has no JSON:
//
//   byte 0   number of the message, double
//   word 2   length of the payload
//   word 3   codec of the payload; APART: it came before, in parts; NOTHING, NUMBER: the value itself, not encoded
//   byte 16  the payload; a double, if it is a NUMBER

import type { RecordMemory } from './delivery.js';
import { RECORD_HEADER_BYTES } from './layout.js';
import type { CodecId } from './message.js';
import { Outcome } from './outcome.js';
import type { RingWriter } from './ring.js';
import { asBuffer, copyInto } from './views.js';

/** Bytes before the payload. */
const REPLY_HEADER_BYTES = 16;

/** What a handler returned, encoded: a range of bytes, valid until the outbox reader releases. */
export interface Reply {
  readonly number: number;
  /** Null: it is `value`, and no bytes. */
  readonly codec: CodecId | null;
  readonly value: number | undefined;
  readonly memory: Buffer;
  /** The same memory; null: it lies in no ring. */
  readonly words: Int32Array | null;
  readonly start: number;
  readonly end: number;
}

const APART = 0x100;
const NOTHING = 0x200;
const NUMBER = 0x400;
const NO_BYTES = new Uint8Array(0);

/** Handlers return nothing or a number more often than anything else. */
export function isSimple(value: unknown): value is number | undefined {
  return typeof value === 'number' || value === undefined;
}

/** Writes a reply that needs no encoding. False: the outbox is full, and nothing was written. */
export function writeSimpleReply(outbox: RingWriter, number: number, value: number | undefined): boolean {
  const offset = outbox.claim(REPLY_HEADER_BYTES + 8);
  if (offset < 0) return false;
  outbox.doubles[offset >> 3] = number;
  outbox.words[(offset >> 2) + 3] = value === undefined ? NOTHING : NUMBER;
  outbox.doubles[(offset + REPLY_HEADER_BYTES) >> 3] = value ?? 0;
  outbox.commit(Outcome.REPLIED);
  return true;
}

/**
 * Writes a reply. False: the outbox is full, and nothing was written.
 *
 * @param payload null: its parts were written
 */
export function writeReply(outbox: RingWriter, number: number, codec: CodecId, payload: Uint8Array | null): boolean {
  const bytes = payload ?? NO_BYTES;
  const offset = outbox.claim(replyBytes(bytes.length));
  if (offset < 0) return false;
  outbox.doubles[offset >> 3] = number;
  outbox.words[(offset >> 2) + 2] = bytes.length;
  outbox.words[(offset >> 2) + 3] = payload === null ? codec | APART : codec;
  copyInto(outbox, offset + REPLY_HEADER_BYTES, bytes);
  outbox.commit(Outcome.REPLIED);
  return true;
}

/** The bytes that a reply with a payload of this size needs in the outbox. */
export function replyBytes(payload: number): number {
  return REPLY_HEADER_BYTES + payload;
}

/** Reads replies, all but large ones into the same object: garbage costs as much as a reply. Belongs to one outbox. */
export class ReplyReader {
  readonly #reply: { -readonly [K in keyof Reply]: Reply[K] };

  constructor(memory: Buffer) {
    this.#reply = { number: 0, codec: null, value: undefined, memory, words: null, start: 0, end: 0 };
  }

  /**
   * Reads the reply whose record header is at `word`. It is good until the next one is read.
   *
   * @param takeParts the payload that came in parts before it
   */
  read({ words, doubles, bytes }: RecordMemory, word: number, takeParts: () => Uint8Array): Reply {
    const reply = this.#reply;
    const body = word + RECORD_HEADER_BYTES / 4;
    const codec = words[body + 3] as number;
    const start = (body << 2) + REPLY_HEADER_BYTES;
    reply.number = doubles[body >> 1] as number;
    if (codec >= NOTHING) {
      reply.codec = null;
      reply.value = codec === NUMBER ? (doubles[start >> 3] as number) : undefined;
      return reply;
    }
    if (codec >= APART) {
      // Not kept until the next one comes: it is large.
      const memory = asBuffer(takeParts());
      const itsCodec = (codec - APART) as CodecId;
      return {
        number: reply.number,
        codec: itsCodec,
        value: undefined,
        memory,
        words: null,
        start: 0,
        end: memory.length,
      };
    }
    reply.value = undefined;
    reply.codec = codec as CodecId;
    reply.memory = bytes;
    reply.words = words;
    reply.start = start;
    reply.end = start + (words[body + 2] as number);
    return reply;
  }
}
