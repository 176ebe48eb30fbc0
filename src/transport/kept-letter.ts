// How a dead letter lies in its stream: a header line with its summary, and a body.
//
//   byte 0   length of the letter without its payload in bytes, unsigned, 32 bits, little endian
//   byte 4   the letter as JSON, with its format and the codec's name, then the payload as it was encoded
import { codecFromName, codecName } from '../shared/codec.js';
import { mergedHistory } from '../shared/letter-history.js';
import type {
  LetterEdit,
  LetterHeader,
  LetterSummary,
  ReadLetter,
  ReplayFailure,
  StoredLetter,
} from '../shared/logging-task.js';
import type { Kept } from './connection-words.js';

const FORMAT = 1;
/** The summary, so that a list needs no bodies. */
const SUMMARY = 'Busbar-Letter';

/** What a stream says of a letter; `claimed_at`: when its replay began, in seconds since 1970. */
export type KeptSummary = LetterSummary & { readonly claimed_at: number };

/** A letter as it lies in its stream. */
export interface KeptLetter {
  readonly summary: KeptSummary;
  readonly header: LetterHeader;
  readonly payload: Uint8Array;
}

export function newLetter(header: LetterHeader, payload: Uint8Array): KeptLetter {
  const counts = { state: 'dead', replays: 0, replay_failures: 0, edits: 0, claimed_at: 0 } as const;
  return { summary: { ...summaryOf(header, payload), ...counts }, header, payload };
}

/** What is written for a letter. */
export function writtenLetter({ summary, header, payload }: KeptLetter): {
  readonly body: Uint8Array;
  readonly lines: readonly [name: string, value: string][];
} {
  const json = Buffer.from(
    JSON.stringify({ ...header, format: FORMAT, payload_codec: codecName(header.payload_codec) }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const line = Buffer.from(JSON.stringify(summary)).toString('base64');
  return { body: Buffer.concat([length, json, payload]), lines: [[SUMMARY, line]] };
}

/** Undefined: this is no letter. */
export function keptLetter(kept: Kept): KeptLetter | undefined {
  const bytes = Buffer.from(kept.data.buffer, kept.data.byteOffset, kept.data.byteLength);
  const summary = keptSummary(kept);
  if (summary === undefined || bytes.length < 4) return undefined;
  const end = 4 + bytes.readUInt32LE(0);
  try {
    const { format: _format, payload_codec: name, ...fields } = JSON.parse(bytes.toString('utf8', 4, end));
    const codec = codecFromName(name);
    if (codec === undefined) return undefined;
    return { summary, header: { ...fields, payload_codec: codec } as LetterHeader, payload: bytes.subarray(end) };
  } catch {
    return undefined;
  }
}

export function keptSummary(kept: Kept): KeptSummary | undefined {
  try {
    const summary = JSON.parse(Buffer.from(kept.header(SUMMARY), 'base64').toString()) as KeptSummary;
    return typeof summary.error_id === 'string' && typeof summary.timestamp === 'number' ? summary : undefined;
  } catch {
    return undefined;
  }
}

export function readLetter({ summary, header, payload }: KeptLetter): ReadLetter {
  const { payload_codec: codec, ...fields } = header;
  const { state, replays, replay_failures, edits } = summary;
  const letter = { ...fields, state, replays, replay_failures, edits } as StoredLetter;
  return { letter, encoded: { codec: codecName(codec), bytes: payload } };
}

export function withEdit(letter: KeptLetter, { key, priority, headers, payload }: LetterEdit): KeptLetter {
  const fields = {
    ...(key === undefined ? {} : { key }),
    ...(priority === undefined ? {} : { priority }),
    ...(headers === undefined ? {} : { headers }),
  };
  const { header, summary } = letter;
  const edited = { ...header, ...fields, message: { ...header.message, ...fields } };
  return {
    summary: { ...summary, edits: summary.edits + 1, bytes: (payload?.bytes ?? letter.payload).byteLength },
    header: payload === undefined ? edited : { ...edited, payload_codec: payload.codec },
    payload: payload?.bytes ?? letter.payload,
  };
}

/** After a replay that failed again: the latest failure, and one count more. */
export function withFailure(letter: KeptLetter, failure: ReplayFailure): KeptLetter {
  const { error_category, reason, signature, error, started, failed, history } = failure;
  const { header, summary, payload } = letter;
  const whole: LetterHeader = {
    ...header,
    ...{ error_category, reason, signature, error },
    started: header.started + started,
    failed: header.failed + failed,
    retry_count: header.retry_count + failed,
    history: mergedHistory(header.history, history),
  };
  const replay_failures = summary.replay_failures + 1;
  return {
    summary: { ...summary, ...summaryOf(whole, payload), state: 'dead', replay_failures },
    header: whole,
    payload,
  };
}

function summaryOf(
  header: LetterHeader,
  { byteLength: bytes }: Uint8Array,
): Omit<LetterSummary, 'state' | 'replays' | 'replay_failures' | 'edits'> {
  const { error_id, timestamp, topic, subscriber_id, pattern, error_category, reason, signature, retry_count } = header;
  const message_id = header.message.id;
  return {
    error_id,
    timestamp,
    message_id,
    topic,
    subscriber_id,
    pattern,
    error_category,
    reason,
    signature,
    retry_count,
    bytes,
  };
}
