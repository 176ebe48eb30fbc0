// How a dead letter stands on a line, and how it is read back as a whole.
import { codecName, plainJsonOf } from '../../src/shared/codec.js';
import { mergedHistory } from '../../src/shared/letter-history.js';
import {
  FRESH,
  type HandedLetter,
  LETTER_FORMAT,
  type LetterHistory,
  letterText,
} from '../../src/shared/letter-text.js';
import type {
  LetterHeader,
  LetterState,
  ReadLetter,
  ReplayFailure,
  StoredLetter,
} from '../../src/shared/logging-task.js';
import type { CodecId } from '../../src/shared/message.js';
import type { LineBatch } from './line-batch.js';
import { SEAL_BYTES } from './sealed-line.js';

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

/** A letter that was handed over on another way than the ring. */
export function handedLetter(header: LetterHeader, payload: Uint8Array): HandedLetter {
  const { head, tail } = letterText(header, FRESH);
  return { codec: header.payload_codec, head: Buffer.from(head), tail: Buffer.from(tail), payload };
}

/** Writes the beginning of a letter's line: as far as the index reads it. */
export function beginHanded(batch: LineBatch, { head }: HandedLetter): void {
  batch.begin();
  batch.copy(head);
}

/** Writes the rest of what {@link beginHanded} began. */
export function endHanded(batch: LineBatch, { codec, tail, payload }: HandedLetter): void {
  const { json, payload_codec, payload_base64 } = payloadOf(codec as CodecId, payload);
  batch.text(JSON.stringify(json));
  batch.copy(tail);
  endLetter(batch, payload_codec, payload_base64);
}

export function writeLetter(batch: LineBatch, line: LetterLine): void {
  const { head, tail } = letterText(line, line);
  batch.begin();
  batch.text(head);
  batch.text(JSON.stringify(line.message.payload ?? null));
  batch.text(tail);
  endLetter(batch, line.payload_codec, line.payload_base64);
}

function endLetter(batch: LineBatch, codec: string, base64: string | undefined): void {
  batch.text(JSON.stringify(codec));
  if (base64 !== undefined) batch.text(`,"payload_base64":${JSON.stringify(base64)}`);
  batch.text('}');
  batch.seal();
}

export function writeState(
  batch: LineBatch,
  timestamp: number,
  state: StateLine['state'],
  ids: readonly string[],
): void {
  batch.begin();
  batch.text(JSON.stringify({ format: LETTER_FORMAT, state, timestamp, error_ids: ids }).slice(1));
  batch.seal();
}

/** Writes a line of this length that changes nothing. */
export function writeBlank(batch: LineBatch, length: number): void {
  const start = `"format":${LETTER_FORMAT},"state":"removed","timestamp":0,"error_ids":[`;
  batch.begin();
  batch.text(start);
  batch.text(' '.repeat(length - SEAL_BYTES - start.length - 2));
  batch.text(']}');
  batch.seal();
}

type Payload = Pick<LetterLine, 'payload_codec' | 'payload_base64'> & { readonly json: unknown };

/** The line with another payload. */
export function withPayload(line: LetterLine, codec: CodecId, bytes: Uint8Array): LetterLine {
  const { payload_base64: _old, ...rest } = line;
  const { json, ...payload } = payloadOf(codec, bytes);
  return { ...rest, ...payload, message: { ...line.message, payload: json } };
}

/** The letter after a replay that failed again: the latest failure, and one count more. */
export function failedAgain(line: LetterLine, failure: ReplayFailure): LetterLine {
  const { error_category, reason, signature, error, started, failed, history } = failure;
  return {
    ...line,
    ...{ error_category, reason, signature, error },
    started: line.started + started,
    failed: line.failed + failed,
    retry_count: line.retry_count + failed,
    history: mergedHistory(line.history, history),
    state: 'dead',
    replay_failures: line.replay_failures + 1,
  };
}

function payloadOf(codec: CodecId, bytes: Uint8Array): Payload {
  const json = plainJsonOf(codec, bytes);
  const name = codecName(codec);
  if (json !== undefined) return { payload_codec: name, json };
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return { payload_codec: name, payload_base64: base64, json: null };
}

const STATE_START = '"format":1,"state":"';

/** The change on a sealed line; undefined: the line has none, or makes no sense. */
export function stateOf(bytes: Buffer, start: number, end: number): StateLine | undefined {
  const from = start + SEAL_BYTES;
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

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
