// How a dead letter stands on a line, and how it is read back.
import { codecName, plainJsonOf } from '../../src/shared/codec.js';
import type { LetterHeader, LetterState, ReadLetter, StoredLetter } from '../../src/shared/logging-task.js';

const FORMAT = 1;

/** A line that adds a letter, as JSON; payloads that JSON would change stand in base64, as they were encoded. */
interface LetterLine extends Omit<LetterHeader, 'payload_codec'> {
  format: number;
  payload_codec: string;
  payload_base64?: string;
}

/** A line that changes letters. */
export interface StateLine {
  format: number;
  timestamp: number;
  state: LetterState | 'removed';
  error_ids: string[];
}

/** @param payload as the bus encoded it */
export function letterLine(header: LetterHeader, payload: Uint8Array): string {
  const line: Record<string, unknown> = { ...header, format: FORMAT, payload_codec: codecName(header.payload_codec) };
  const json = plainJsonOf(header.payload_codec, payload);
  if (json === undefined) {
    line['payload_base64'] = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64');
    line['message'] = { ...header.message, payload: null };
  } else {
    line['message'] = { ...header.message, payload: json };
  }
  return `${JSON.stringify(line)}\n`;
}

export function stateLine(timestamp: number, state: StateLine['state'], ids: readonly string[]): string {
  const line: StateLine = { format: FORMAT, timestamp, state, error_ids: [...ids] };
  return `${JSON.stringify(line)}\n`;
}

/** What a line says, or undefined when it is damaged. */
export function parseLine(text: string): LetterLine | StateLine | undefined {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (isStateLine(line) || isLetterLine(line)) return line;
  return undefined;
}

export function isStateLine(line: unknown): line is StateLine {
  if (typeof line !== 'object' || line === null) return false;
  const { state, error_ids: ids } = line as Partial<StateLine>;
  return typeof state === 'string' && Array.isArray(ids) && ids.every((id) => typeof id === 'string');
}

function isLetterLine(line: unknown): line is LetterLine {
  if (typeof line !== 'object' || line === null) return false;
  const { error_id, timestamp, message, topic, subscriber_id, pattern } = line as Partial<LetterLine>;
  const texts = [error_id, topic, subscriber_id, pattern].every((text) => typeof text === 'string');
  return texts && typeof timestamp === 'number' && typeof message === 'object' && message !== null;
}

/** The letter of a line; a payload that does not stand there as JSON is left encoded. */
export function openLetter(line: LetterLine, state: LetterState, replays: number): ReadLetter {
  const { format: _format, payload_codec: codec, payload_base64: base64, ...fields } = line;
  const letter = { ...fields, state, replays } as unknown as StoredLetter;
  return { letter, encoded: base64 === undefined ? null : { codec, bytes: Buffer.from(String(base64), 'base64') } };
}
