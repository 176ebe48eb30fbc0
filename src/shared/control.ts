// What the command line and a running bus say to each other over the local socket: one line of JSON each way.
import type { HealthStatus } from './health-status.js';
import type {
  LetterChoice,
  LetterFilter,
  LetterGroup,
  LetterStats,
  LetterSummary,
  StoredLetter,
} from './logging-task.js';
import type { Headers, Priority } from './message.js';
import type { RedactOptions } from './redact.js';
import type { ReplayOptions, ReplayResult } from './replay.js';

/** The socket's name in the error log folder. */
export const CONTROL_SOCKET = 'control.sock';
/** Longest path of a socket that every system takes, in bytes: macOS has room for 104 with the end mark, Linux for 108. */
export const LONGEST_SOCKET_PATH = 103;
/** A longer request is refused, and its connection closed. */
export const MOST_REQUEST_BYTES = 4 * 1024 * 1024;
/** Instead of a longer answer comes an error that says so. */
export const MOST_ANSWER_BYTES = 64 * 1024 * 1024;

/** Letters in one answer: more of them would hold up the bus's main thread. */
export const MOST_LISTED = 10_000;

/** What can be asked about letters, of a running bus or of a stopped one's folder. */
export type LetterRequest =
  | { readonly ask: 'letters'; readonly filter: LetterFilter }
  | { readonly ask: 'letter'; readonly id: string }
  | { readonly ask: 'letter-stats' }
  | { readonly ask: 'letter-groups'; readonly filter: LetterFilter }
  | { readonly ask: 'edit'; readonly id: string; readonly changes: WireChanges }
  | { readonly ask: 'replay'; readonly which: LetterChoice; readonly options: ReplayOptions }
  | { readonly ask: 'archive'; readonly which: LetterChoice }
  | { readonly ask: 'unarchive'; readonly which: LetterChoice }
  | { readonly ask: 'purge'; readonly which: LetterChoice };

/** What can be asked of a running bus. Names are those of `circuitBreakerStatus`, or the subscriberId of one subscription. */
export type ControlRequest =
  | LetterRequest
  | { readonly ask: 'health' }
  | { readonly ask: 'redaction' }
  | { readonly ask: 'breaker'; readonly name: string; readonly command: 'reset' | 'open' };

/** The answer to each request. */
export interface ControlAnswers {
  readonly health: { readonly pid: number; readonly health: HealthStatus };
  /** The bus's own `redact` option. */
  readonly redaction: RedactOptions;
  readonly letters: readonly LetterSummary[];
  /** Null: there is no such letter. */
  readonly letter: WireLetter | null;
  readonly 'letter-stats': LetterStats;
  readonly 'letter-groups': readonly LetterGroup[];
  /** Null: there is no such letter, or it is being replayed. */
  readonly edit: WireLetter | null;
  readonly replay: ReplayResult;
  /** How many. */
  readonly archive: number;
  readonly unarchive: number;
  readonly purge: number;
  /** The breaker's name; null: there is none of this name, nor of such a subscriber. */
  readonly breaker: string | null;
}

/** A letter whose payload may be anything, as JSON can carry it. */
export interface WireLetter {
  readonly letter: Omit<StoredLetter, 'message'> & { readonly message: Omit<StoredLetter['message'], 'payload'> };
  readonly payload: { readonly codec: string; readonly base64: string };
}

/** What an edit changes; what is not named stays. A payload comes as JSON. */
export interface WireChanges {
  readonly payload?: unknown;
  readonly key?: string | null;
  readonly priority?: Priority;
  readonly headers?: Headers | null;
}

/** One line back. */
export type ControlReply =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };
