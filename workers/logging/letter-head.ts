// What the index needs of a letter's line, read off its beginning without making objects of the rest.
import type { LetterState, LetterSummary } from '../../src/shared/logging-task.js';
import { SEAL_BYTES } from './sealed-line.js';

/** What many letters have in common; one object for all that do. */
export type LetterTraits = Omit<LetterSummary, 'error_id' | 'timestamp' | 'message_id' | 'bytes'>;

export interface LetterHead {
  readonly error_id: string;
  readonly timestamp: number;
  readonly message_id: string;
  readonly traits: LetterTraits;
}

const ID = '"format":1,"error_id":"';
const AFTER_ID = '","timestamp":';
const TRAITS = ',"error_category":';
const MESSAGE_ID = ',"message":{"id":"';
const AFTER_MESSAGE_ID = '","topic":';
/** Longer beginnings are read the slow way. */
const LONGEST_HEAD = 640;

/** No text in JSON contains one of the marks above: a quotation mark in a text has a backslash before it. */
const SPECIAL = /[^\x20-\x7e]|\\/;

/** The head of a line whose seal is good; undefined: it is no letter, or makes no sense. */
export function headOf(bytes: Buffer, start: number, end: number): LetterHead | undefined {
  const from = start + SEAL_BYTES;
  // Latin-1, so that a place in the text is a place among the bytes.
  const text = bytes.toString('latin1', from, Math.min(end, from + LONGEST_HEAD));
  if (!text.startsWith(ID)) return undefined;
  const idEnd = text.indexOf('"', ID.length);
  const traitsAt = text.indexOf(TRAITS, idEnd);
  const messageAt = text.indexOf(MESSAGE_ID, traitsAt);
  const messageIdEnd = text.indexOf('"', messageAt + MESSAGE_ID.length);
  const isWhole = idEnd >= 0 && traitsAt >= 0 && messageAt >= 0 && messageIdEnd >= 0;
  if (!isWhole || !text.startsWith(AFTER_ID, idEnd) || !text.startsWith(AFTER_MESSAGE_ID, messageIdEnd)) {
    return slowHeadOf(bytes, from, end);
  }
  const error_id = text.slice(ID.length, idEnd);
  const message_id = text.slice(messageAt + MESSAGE_ID.length, messageIdEnd);
  const time = text.slice(idEnd + AFTER_ID.length, traitsAt);
  const timestamp = Number(time);
  if (time === '' || Number.isNaN(timestamp) || SPECIAL.test(error_id) || SPECIAL.test(message_id)) {
    return slowHeadOf(bytes, from, end);
  }
  const traits = traitsOf(text.slice(traitsAt + 1, messageAt), bytes, from + traitsAt + 1, from + messageAt);
  return traits && { error_id, timestamp, message_id, traits };
}

/** Texts between `error_category` and `message`, as Latin-1. Most letters of a storm share one. */
const known = new Map<string, LetterTraits>();
const MOST_KNOWN = 1000;

function traitsOf(text: string, bytes: Buffer, start: number, end: number): LetterTraits | undefined {
  let traits = known.get(text);
  if (traits !== undefined) return traits;
  traits = checkedTraits(parse(`{${bytes.toString('utf8', start, end)}}`));
  if (traits === undefined) return undefined;
  if (known.size >= MOST_KNOWN) known.clear();
  // A copy: a slice would keep the text alive that it was cut from.
  known.set(Buffer.from(text, 'latin1').toString('latin1'), traits);
  return traits;
}

/** For ids with characters that JSON escapes, and beginnings of any length. */
function slowHeadOf(bytes: Buffer, from: number, end: number): LetterHead | undefined {
  const message = bytes.indexOf(MESSAGE_ID, from, 'latin1');
  const topic = message < 0 ? -1 : bytes.indexOf(AFTER_MESSAGE_ID, message, 'latin1');
  if (topic < 0 || topic >= end) return undefined;
  const head = parse(`{${bytes.toString('utf8', from, topic)}"}}`) as Record<string, unknown> | undefined;
  const traits = checkedTraits(head);
  if (head === undefined || traits === undefined) return undefined;
  const { error_id, timestamp } = head;
  const message_id = (head['message'] as { id?: unknown } | null)?.id;
  if (typeof error_id !== 'string' || typeof timestamp !== 'number' || typeof message_id !== 'string') return undefined;
  return { error_id, timestamp, message_id, traits };
}

const STATES: readonly unknown[] = ['dead', 'pending_replay', 'archived'] satisfies LetterState[];
const TEXTS = ['topic', 'subscriber_id', 'pattern', 'signature', 'reason', 'error_category'] as const;
const NUMBERS = ['retry_count', 'replays', 'replay_failures', 'edits'] as const;

function checkedTraits(parsed: unknown): LetterTraits | undefined {
  const t = parsed as LetterTraits | undefined;
  const isGood =
    t !== undefined &&
    TEXTS.every((name) => typeof t[name] === 'string') &&
    NUMBERS.every((name) => typeof t[name] === 'number') &&
    STATES.includes(t.state);
  if (!isGood) return undefined;
  return {
    error_category: t.error_category,
    retry_count: t.retry_count,
    reason: t.reason,
    signature: t.signature,
    topic: t.topic,
    subscriber_id: t.subscriber_id,
    pattern: t.pattern,
    state: t.state,
    replays: t.replays,
    replay_failures: t.replay_failures,
    edits: t.edits,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
