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

/**
 * In the order that the index relies on: what it needs comes first, then what anyone may have put in. Put together by hand:
 * `JSON.stringify` takes four times as long.
 */
export function letterText(letter: Omit<LetterHeader, 'payload_codec'>, history: LetterHistory): LetterText {
  const { id, topic, key, priority, headers, published_at } = letter.message;
  const head =
    `"format":${LETTER_FORMAT},"error_id":${text(letter.error_id)},"timestamp":${number(letter.timestamp)}` +
    `,"error_category":${name(letter.error_category)},"retry_count":${number(letter.retry_count)}` +
    `,"reason":${name(letter.reason)},"signature":${name(letter.signature)},"topic":${name(letter.topic)}` +
    `,"subscriber_id":${name(letter.subscriber_id)},"pattern":${name(letter.pattern)}` +
    `,"state":${name(history.state)},"replays":${number(history.replays)}` +
    `,"replay_failures":${number(history.replay_failures)},"edits":${number(history.edits)}` +
    `,"message":{"id":${text(id)},"topic":${name(topic)},"key":${textOrNull(key)},"priority":${name(priority)}` +
    `,"headers":${json(headers)},"published_at":${number(published_at)},"payload":`;
  const tail =
    `},"priority":${name(letter.priority)},"key":${textOrNull(letter.key)},"headers":${json(letter.headers)}` +
    `,"started":${number(letter.started)},"failed":${number(letter.failed)}` +
    `,"history":[${letter.history.map(historyEntry).join()}],"error":${json(letter.error)},"payload_codec":`;
  return { head, tail };
}

/** What JSON leaves as it is within quotation marks. */
const PLAIN = /^[ !#-[\]-~]*$/;

function text(value: string): string {
  return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value);
}

function textOrNull(value: string | null): string {
  return typeof value === 'string' ? text(value) : 'null';
}

function historyEntry({ category, signature, count, first, last }: LetterHeader['history'][number]): string {
  return (
    `{"category":${name(category)},"signature":${name(signature)},"count":${number(count)}` +
    `,"first":${number(first)},"last":${number(last)}}`
  );
}

/** As JSON, what many letters share. */
const names = new Map<string, string>();
const MOST_NAMES = 256;
/** Longer ones are not kept: a program may have given any. In characters. */
const LONGEST_NAME = 256;

function name(value: string): string {
  if (value.length > LONGEST_NAME) return text(value);
  let known = names.get(value);
  if (known === undefined) {
    known = text(value);
    if (names.size >= MOST_NAMES) names.clear();
    names.set(value, known);
  }
  return known;
}

function number(value: number): string {
  return Number.isFinite(value) ? String(value) : 'null';
}

function json(value: unknown): string {
  return value === null ? 'null' : (JSON.stringify(value) ?? 'null');
}

// The record of a letter in the ring:
//
//   0       4             8            12
//   ┌───────┬─────────────┬────────────┬──────┬──────┬─────────┐
//   │ codec │ head, bytes │ tail, bytes│ head │ tail │ payload │
//   └───────┴─────────────┴────────────┴──────┴──────┴─────────┘
const RECORD_START = 12;

/** Bytes that a letter's record takes at the most: to count them costs as much as to write them. */
export function letterRecordBytes({ head, tail }: LetterText, payload: Uint8Array): number {
  return RECORD_START + (head.length + tail.length) * 3 + payload.byteLength;
}

/** Writes a letter's record. False: the ring is full, and nothing was written. @param bytes see {@link letterRecordBytes} */
export function writeLetterRecord(
  ring: RingWriter,
  kind: number,
  { head, tail }: LetterText,
  codec: number,
  payload: Uint8Array,
  bytes: number,
): boolean {
  const start = ring.claim(bytes);
  if (start < 0) return false;
  const { bytes: memory, words } = ring;
  const textBytes = memory.write(head + tail, start + RECORD_START, 'utf8');
  const isAscii = textBytes === head.length + tail.length;
  const headBytes = isAscii ? head.length : Buffer.byteLength(head);
  memory.set(payload, start + RECORD_START + textBytes);
  words[start >> 2] = codec;
  words[(start >> 2) + 1] = headBytes;
  words[(start >> 2) + 2] = textBytes - headBytes;
  ring.shrink(RECORD_START + textBytes + payload.byteLength);
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
