// A reply in a lane's outbox ring. It is read once for every request, so it has no JSON:
//
//   byte 0   number of the message, double
//   word 2   length of the payload
//   word 3   codec of the payload
//   byte 16  the payload

import type { RecordMemory } from './delivery.js';
import { RECORD_HEADER_BYTES } from './layout.js';
import type { CodecId } from './message.js';
import { Outcome } from './outcome.js';
import type { RingWriter } from './ring.js';
import { copyInto } from './views.js';

/** Bytes before the payload. */
const REPLY_HEADER_BYTES = 16;

/** What a handler returned, encoded: a range of bytes, valid until the outbox reader releases. */
export interface Reply {
  readonly number: number;
  readonly codec: CodecId;
  readonly memory: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Writes a reply. False: the outbox is full, and nothing was written. */
export function writeReply(outbox: RingWriter, number: number, codec: CodecId, payload: Uint8Array): boolean {
  const offset = outbox.claim(replyBytes(payload.byteLength));
  if (offset < 0) return false;
  outbox.doubles[offset >> 3] = number;
  outbox.words[(offset >> 2) + 2] = payload.byteLength;
  outbox.words[(offset >> 2) + 3] = codec;
  copyInto(outbox.bytes, offset + REPLY_HEADER_BYTES, payload);
  outbox.commit(Outcome.REPLIED);
  return true;
}

/** The bytes that a reply with a payload of this size needs in the outbox. */
export function replyBytes(payload: number): number {
  return REPLY_HEADER_BYTES + payload;
}

/** Reads the reply whose record header is at `word`. */
export function readReply({ words, doubles, bytes }: RecordMemory, word: number): Reply {
  const body = word + RECORD_HEADER_BYTES / 4;
  const start = (body << 2) + REPLY_HEADER_BYTES;
  return {
    number: doubles[body >> 1] as number,
    codec: words[body + 3] as CodecId,
    memory: bytes,
    start,
    end: start + (words[body + 2] as number),
  };
}
