// A dead letter as text around its payload: main makes it, and the logging worker puts the payload in.
import type { LetterHeader, LetterState } from './logging-task.js';
import type { RingWriter } from './ring.js';

export const LETTER_FORMAT = 1;
/** Names of the files in which letters lie. */
export const LETTER_FILE = /^dlq_\d{8}T\d{9}Z_\d{1,9}\.json$/;

/** What a letter went through after it was given up. */
export interface LetterHistory {
  readonly state: LetterState;
  readonly replays: number;
  readonly replay_failures: number;
  readonly edits: number;
}

export const FRESH: LetterHistory = { state: 'dead', replays: 0, replay_failures: 0, edits: 0 };

/** A line of JSON without its first brace, in two parts: the payload goes between them, its codec and a brace behind. */
export interface LetterText {
  readonly head: string;
  readonly tail: string;
}

/** In the order that the index relies on: what it needs comes first, then what anyone may have put in. */
export function letterText(letter: Omit<LetterHeader, 'payload_codec'>, history: LetterHistory): LetterText {
  const { id, topic, key, priority, headers, published_at } = letter.message;
  // One literal: objects put together by spreading take several times as long.
  const head = JSON.stringify({
    format: LETTER_FORMAT,
    error_id: letter.error_id,
    timestamp: letter.timestamp,
    error_category: letter.error_category,
    retry_count: letter.retry_count,
    reason: letter.reason,
    signature: letter.signature,
    topic: letter.topic,
    subscriber_id: letter.subscriber_id,
    pattern: letter.pattern,
    state: history.state,
    replays: history.replays,
    replay_failures: history.replay_failures,
    edits: history.edits,
    message: { id, topic, key, priority, headers, published_at },
  });
  const tail = JSON.stringify({
    priority: letter.priority,
    key: letter.key,
    headers: letter.headers,
    started: letter.started,
    failed: letter.failed,
    history: letter.history,
    error: letter.error,
  });
  return { head: `${head.slice(1, -2)},"payload":`, tail: `},${tail.slice(1, -1)},"payload_codec":` };
}

// The record of a letter in the ring:
//
//   0       4             8            12
//   ┌───────┬─────────────┬────────────┬──────┬──────┬─────────┐
//   │ codec │ head, bytes │ tail, bytes│ head │ tail │ payload │
//   └───────┴─────────────┴────────────┴──────┴──────┴─────────┘
const RECORD_START = 12;

/** Bytes of a letter's record. */
export function letterRecordBytes({ head, tail }: LetterText, payload: Uint8Array): number {
  return RECORD_START + Buffer.byteLength(head) + Buffer.byteLength(tail) + payload.byteLength;
}

/** Writes a letter's record. False: the ring is full, and nothing was written. */
export function writeLetterRecord(
  ring: RingWriter,
  kind: number,
  text: LetterText,
  codec: number,
  payload: Uint8Array,
  bytes: number,
): boolean {
  const start = ring.claim(bytes);
  if (start < 0) return false;
  const memory = ring.bytes;
  const headBytes = memory.write(text.head, start + RECORD_START, 'utf8');
  const tailBytes = memory.write(text.tail, start + RECORD_START + headBytes, 'utf8');
  memory.set(payload, start + RECORD_START + headBytes + tailBytes);
  memory.writeUInt32LE(codec, start);
  memory.writeUInt32LE(headBytes, start + 4);
  memory.writeUInt32LE(tailBytes, start + 8);
  ring.commit(kind);
  return true;
}

/** A letter as it was handed over: views on the ring. */
export interface HandedLetter {
  readonly codec: number;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly payload: Uint8Array;
}

export function readLetterRecord(record: Uint8Array): HandedLetter {
  const buffer = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  const headEnd = RECORD_START + buffer.readUInt32LE(4);
  const tailEnd = headEnd + buffer.readUInt32LE(8);
  return {
    codec: buffer.readUInt32LE(0),
    head: buffer.subarray(RECORD_START, headEnd),
    tail: buffer.subarray(headEnd, tailEnd),
    payload: buffer.subarray(tailEnd),
  };
}
