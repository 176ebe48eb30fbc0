// Answers requests about letters out of a dead-letter queue: the same for a running bus and for a stopped one's folder.
import { codecFromName, codecName, decodePayload, type Encoded, encodeLossy, encodePayload } from './codec.js';
import { type ControlAnswers, type LetterRequest, MOST_LISTED, type WireChanges, type WireLetter } from './control.js';
import { peek } from './hostile.js';
import type {
  LetterChoice,
  LetterFilter,
  LetterGroup,
  LetterStats,
  LetterSummary,
  StoredLetter,
} from './logging-task.js';
import type { ReplayOptions, ReplayResult } from './replay.js';

/** What answering needs of a dead-letter queue. */
export interface LetterDesk {
  list(filter: LetterFilter): Promise<LetterSummary[]>;
  show(id: string): Promise<StoredLetter | undefined>;
  stats(): Promise<LetterStats>;
  groups(filter: LetterFilter): Promise<LetterGroup[]>;
  edit(id: string, changes: WireChanges): Promise<StoredLetter | undefined>;
  replay(which: LetterChoice, options: ReplayOptions): Promise<ReplayResult>;
  archive(which: LetterChoice): Promise<number>;
  unarchive(which: LetterChoice): Promise<number>;
  purge(which: LetterChoice): Promise<number>;
}

/** Rejects with what the queue rejects with. What is asked is checked by the queue. */
export function answerAboutLetters(
  desk: LetterDesk,
  request: LetterRequest,
): Promise<ControlAnswers[typeof request.ask]> {
  switch (request.ask) {
    case 'letters':
      return desk.list(limited(request.filter));
    case 'letter':
      return desk.show(request.id).then(wireLetter);
    case 'letter-stats':
      return desk.stats();
    case 'letter-groups':
      return desk.groups(request.filter);
    case 'edit':
      return desk.edit(request.id, request.changes).then(wireLetter);
    case 'replay':
      return desk.replay(request.which, request.options);
    case 'archive':
      return desk.archive(request.which);
    case 'unarchive':
      return desk.unarchive(request.which);
    case 'purge':
      return desk.purge(request.which);
  }
}

/** One more than may be shown tells that there are more. What makes no sense is left to the queue, which refuses it. */
function limited(filter: LetterFilter): LetterFilter {
  const limit = peek(filter, 'limit') ?? MOST_LISTED;
  if (typeof filter !== 'object' || filter === null || typeof limit !== 'number') return filter;
  return { ...filter, limit: Math.min(limit, MOST_LISTED + 1) };
}

/** The letter with its payload decoded again. */
export function letterFromWire({ letter, payload }: WireLetter): StoredLetter {
  const bytes = Buffer.from(payload.base64, 'base64');
  const codec = codecFromName(payload.codec);
  const decoded = codec === undefined ? bytes : decodePayload(codec, bytes);
  return { ...letter, message: { ...letter.message, payload: decoded } };
}

function wireLetter(stored: StoredLetter | undefined): WireLetter | null {
  if (stored === undefined) return null;
  const { payload, ...message } = stored.message;
  const { codec, bytes } = encodeAnything(payload);
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return { letter: { ...stored, message }, payload: { codec: codecName(codec), base64 } };
}

function encodeAnything(payload: unknown): Encoded {
  try {
    return encodePayload(payload);
  } catch {
    // It was decoded from bytes, so this does not happen; if it does, the operator sees what can be shown.
    return encodeLossy(payload);
  }
}
