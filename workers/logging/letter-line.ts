// How a dead letter stands on a line, and how it is read back: as a whole, or what the index needs of it.
import { codecName, plainJsonOf } from '../../src/shared/codec.js';
import type {
  LetterHeader,
  LetterState,
  LetterSummary,
  ReadLetter,
  StoredLetter,
} from '../../src/shared/logging-task.js';
import { seal } from './sealed-line.js';

const FORMAT = 1;

/** What a letter went through after it was given up. */
export interface LetterHistory {
  readonly state: LetterState;
  readonly replays: number;
  readonly replay_failures: number;
  readonly edits: number;
}

const FRESH: LetterHistory = { state: 'dead', replays: 0, replay_failures: 0, edits: 0 };

/** A line that has a letter; of two lines with one error_id the later one holds. Payloads that JSON would change stand in base64. */
export interface LetterLine extends Omit<LetterHeader, 'payload_codec' | 'message'>, LetterHistory {
  format: number;
  message: LetterHeader['message'] & { payload: unknown };
  payload_codec: string;
  payload_base64?: string;
}

/** A line that changes letters. */
export interface StateLine {
  readonly format: number;
  readonly timestamp: number;
  readonly state: LetterState | 'removed';
  readonly error_ids: readonly string[];
}

type Payload = Pick<LetterLine, 'payload_codec' | 'payload_base64'> & { readonly json: unknown };

/** @param payload as the bus encoded it */
export function newLetterLine(header: LetterHeader, payload: Uint8Array): LetterLine {
  const { json, payload_codec, payload_base64 } = payloadOf(header.payload_codec, payload);
  const { id, topic, key, priority, headers, published_at } = header.message;
  const message = { id, topic, key, priority, headers, published_at, payload: json };
  const line: LetterLine = { ...header, ...FRESH, format: FORMAT, message, payload_codec };
  if (payload_base64 !== undefined) line.payload_base64 = payload_base64;
  return line;
}

/** The line with another payload. */
export function withPayload(line: LetterLine, codec: LetterHeader['payload_codec'], bytes: Uint8Array): LetterLine {
  const { payload_base64: _old, ...rest } = line;
  const { json, ...payload } = payloadOf(codec, bytes);
  return { ...rest, ...payload, message: { ...line.message, payload: json } };
}

function payloadOf(codec: LetterHeader['payload_codec'], bytes: Uint8Array): Payload {
  const json = plainJsonOf(codec, bytes);
  const name = codecName(codec);
  if (json !== undefined) return { payload_codec: name, json };
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return { payload_codec: name, payload_base64: base64, json: null };
}

/** In the order that {@link summaryOf} relies on: what the index needs comes first, then what anyone may have put in. */
export function sealLetter(line: LetterLine): Buffer {
  const { id, topic, key, priority, headers, published_at, payload } = line.message;
  // One literal: objects put together by spreading take several times as long.
  return seal(
    JSON.stringify({
      format: FORMAT,
      error_id: line.error_id,
      timestamp: line.timestamp,
      error_category: line.error_category,
      retry_count: line.retry_count,
      reason: line.reason,
      signature: line.signature,
      topic: line.topic,
      subscriber_id: line.subscriber_id,
      pattern: line.pattern,
      state: line.state,
      replays: line.replays,
      replay_failures: line.replay_failures,
      edits: line.edits,
      message: { id, topic, key, priority, headers, published_at, payload },
      priority: line.priority,
      key: line.key,
      headers: line.headers,
      started: line.started,
      failed: line.failed,
      history: line.history,
      error: line.error,
      payload_codec: line.payload_codec,
      payload_base64: line.payload_base64,
    }),
  );
}

export function sealState(timestamp: number, state: StateLine['state'], ids: readonly string[]): Buffer {
  return seal(JSON.stringify({ format: FORMAT, state, timestamp, error_ids: ids }));
}

const LETTER_START = '"format":1,"error_id":"';
const STATE_START = '"format":1,"state":"';
/** After `{"crc":"01234567",`. */
const FIELDS_FROM = 18;
const MESSAGE = ',"message":{"id":';
const AFTER_MESSAGE_ID = ',"topic":';

/** The letter of a sealed line as the index has it; undefined: the line has none, or makes no sense. */
export function summaryOf(bytes: Buffer, start: number, end: number): LetterSummary | undefined {
  const from = start + FIELDS_FROM;
  if (bytes.toString('latin1', from, from + LETTER_START.length) !== LETTER_START) return undefined;
  // No text in JSON contains either: a quotation mark in a text has a backslash before it.
  const message = bytes.indexOf(MESSAGE, from, 'latin1');
  const topic = message < 0 ? -1 : bytes.indexOf(AFTER_MESSAGE_ID, message, 'latin1');
  if (topic < 0 || topic >= end) return undefined;
  const head = parse(`{${bytes.toString('utf8', from, topic)}}}`) as Head | undefined;
  if (head === undefined || !isSummary(head)) return undefined;
  const { format: _format, message: its, ...fields } = head;
  return { ...fields, message_id: its.id, bytes: end - start };
}

/** The change on a sealed line; undefined: the line has none, or makes no sense. */
export function stateOf(bytes: Buffer, start: number, end: number): StateLine | undefined {
  const from = start + FIELDS_FROM;
  if (bytes.toString('latin1', from, from + STATE_START.length) !== STATE_START) return undefined;
  const line = parse(bytes.toString('utf8', start, end)) as StateLine | undefined;
  const isGood =
    line !== undefined &&
    [...STATES, 'removed'].includes(line.state) &&
    Array.isArray(line.error_ids) &&
    line.error_ids.every((id) => typeof id === 'string');
  return isGood ? line : undefined;
}

/** All of a sealed letter line. */
export function parseLetter(bytes: Buffer): LetterLine | undefined {
  const line = parse(bytes.toString('utf8')) as (LetterLine & { crc: string }) | undefined;
  if (line === undefined || typeof line.message !== 'object' || line.message === null) return undefined;
  const { crc: _crc, ...rest } = line;
  return rest;
}

/** The letter of a line; a payload that does not stand there as JSON is left encoded. */
export function openLetter(line: LetterLine, history: LetterHistory): ReadLetter {
  const { format: _format, payload_codec: codec, payload_base64: base64, ...fields } = line;
  const { state, replays, replay_failures, edits } = history;
  const letter = { ...fields, state, replays, replay_failures, edits } as unknown as StoredLetter;
  return { letter, encoded: base64 === undefined ? null : { codec, bytes: Buffer.from(String(base64), 'base64') } };
}

const STATES: readonly string[] = ['dead', 'pending_replay', 'archived'] satisfies LetterState[];
const TEXTS = ['error_id', 'topic', 'subscriber_id', 'pattern', 'signature', 'reason', 'error_category'] as const;
const NUMBERS = ['timestamp', 'retry_count', 'replays', 'replay_failures', 'edits'] as const;

type Head = Omit<LetterSummary, 'message_id' | 'bytes'> & { format: number; message: { id: string } };

function isSummary(head: Head): boolean {
  return (
    TEXTS.every((name) => typeof head[name] === 'string') &&
    NUMBERS.every((name) => typeof head[name] === 'number') &&
    STATES.includes(head.state) &&
    typeof (head.message as { id?: unknown } | null)?.id === 'string'
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
