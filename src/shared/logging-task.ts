// What main and the logging worker say to each other: start data, ring records, queries.

import type { LoggingTesting } from './logging-testing.js';
import type { CodecId, Headers, Priority } from './message.js';
import type { RedactOptions } from './redact.js';
import type { DeadLetter, DeadLetterReason, ErrorCategory, ErrorRecord, ErrorReport, ErrorSeverity } from './report.js';

/** Limits of what is kept on disk. */
export interface LogLimits {
  /** The error log is rotated before it grows above this, in bytes. */
  readonly maxLogBytes: number;
  /** Rotated error logs that are kept. */
  readonly maxLogFiles: number;
  /** Dead letters kept, the oldest go first. */
  readonly maxLetters: number;
  /** Bytes of dead letters kept, the oldest go first. */
  readonly maxLetterBytes: number;
  /** Dead letters are kept this long, in milliseconds. */
  readonly maxLetterAgeMs: number;
}

/** The logging worker's `workerData`. */
export interface LoggingStart {
  readonly folder: string;
  /** Where dead letters lie. */
  readonly letterFolder: string;
  readonly limits: LogLimits;
  readonly redact: RedactOptions;
  readonly reports: SharedArrayBuffer;
  readonly letters: SharedArrayBuffer;
  /** The worker sleeps on it. */
  readonly bell: SharedArrayBuffer;
  /** Main sleeps on it, waiting for letters to be stored. */
  readonly mainBell: SharedArrayBuffer;
  /** See {@link Status}. */
  readonly status: SharedArrayBuffer;
  /** True when an earlier worker of this process died and left its lock. */
  readonly isReplacement: boolean;
  /** True: the folder is held for a moment only; who comes meanwhile waits. */
  readonly isBrief: boolean;
  /** Letters that this process is replaying; what else the disk says so of, ended with the thread or process that began it. */
  readonly replaying: readonly string[];
  /** Null: the bus is not under test. */
  readonly testing: LoggingTesting | null;
}

/** Words of the status memory; the worker writes, main reads. */
export const Status = {
  /** 1: letters cannot be written now. */
  FAILING: 0,
  /** Letters in the queue. */
  LETTERS: 1,
  /** Bad lines set aside. */
  CORRUPT_LINES: 2,
  /** Torn tails cut. */
  TORN_TAILS: 3,
  /** Writes that failed. */
  FAILED_WRITES: 4,
  /** Log lines lost because they could not be written. */
  LOST_LINES: 5,
  /** 1: the error log cannot be written now. */
  LOG_FAILING: 6,
  /** Since when the disk refuses, in seconds since 1970, unsigned; 0: it does not. */
  FAILING_SINCE: 7,
} as const;
export const STATUS_BYTES = 64;

/** Kinds of records in the two rings. */
export const LogRecord = { REPORTS: 1, LETTER: 2 } as const;

/** A letter without its payload, which follows as bytes. */
export type LetterHeader = Omit<DeadLetter, 'message'> & {
  message: Omit<DeadLetter['message'], 'payload'>;
  payload_codec: CodecId;
};

/** Where a letter stands. `pending_replay`: given back to its subscription, and not heard of yet. */
export type LetterState = 'dead' | 'pending_replay' | 'archived';

/** Which letters; all that are given must hold. An empty filter matches all. `Time`: seconds, or a `Moment`. */
export interface LetterFilter<Time = number> {
  /** A topic, or a pattern: `*` is one token, a final `>` the rest. */
  readonly topic?: string;
  readonly subscriberId?: string;
  readonly category?: ErrorCategory;
  readonly reason?: DeadLetterReason;
  readonly signature?: string;
  readonly state?: LetterState;
  /** Given up at this time or later. */
  readonly since?: Time;
  /** Given up before this time. */
  readonly until?: Time;
  /** The oldest so many, 1 or more. */
  readonly limit?: number;
}

/**
 * Which letters a change is about: their error_ids, a filter with one field or more, or all of them, said in so many words.
 * An empty filter is refused.
 */
export type LetterChoice<Time = number> = readonly string[] | LetterFilter<Time> | { readonly all: true };

/** What the queue knows of a letter without reading its payload. */
export interface LetterSummary {
  readonly error_id: string;
  readonly timestamp: number;
  readonly message_id: string;
  readonly topic: string;
  readonly subscriber_id: string;
  readonly pattern: string;
  readonly error_category: ErrorCategory;
  readonly reason: DeadLetterReason;
  readonly signature: string;
  readonly retry_count: number;
  readonly state: LetterState;
  /** Replays issued so far. */
  readonly replays: number;
  /** Replays that failed again. */
  readonly replay_failures: number;
  /** Times it was edited. */
  readonly edits: number;
  /** Length of its line on disk, in bytes. */
  readonly bytes: number;
}

/** A letter as kept. After a replay that failed again its category, signature, reason and error are the latest ones. */
export type StoredLetter = DeadLetter & {
  readonly state: LetterState;
  /** Replays issued so far. */
  readonly replays: number;
  /** Replays that failed again. */
  readonly replay_failures: number;
  /** Times it was edited. */
  readonly edits: number;
  /** Set when the payload's bytes could not be decoded: `message.payload` holds them as they are. */
  readonly undecodable?: true;
};

/** A letter as it crosses from the worker: decoded on main, for a copy between threads makes other classes of buffers. */
export interface ReadLetter {
  /** With the payload in place, when that stands on the line as JSON. */
  readonly letter: StoredLetter;
  /** The payload's codec by name, and its bytes, when it does not. */
  readonly encoded: { readonly codec: unknown; readonly bytes: Uint8Array } | null;
}

/** Which error reports; all that are given must hold. `Time`: seconds, or a `Moment`. */
export interface ErrorFilter<Time = number> {
  readonly category?: ErrorCategory;
  readonly severity?: ErrorSeverity;
  readonly topic?: string;
  readonly subscriberId?: string;
  /** Reported at this time or later. */
  readonly since?: Time;
  /** The newest so many, 1 or more. Default 100. */
  readonly limit?: number;
}

/** Totals of the error log, across restarts. */
export interface ErrorStatistics {
  readonly totalErrors: number;
  readonly recentErrors1h: number;
  /** Errors per minute over the last hour. */
  readonly errorRate1h: number;
  /** From 0 to 1; 1 when nothing was tried. */
  readonly recoverySuccessRate: number;
  readonly categories: Record<ErrorCategory, number>;
  readonly severityDistribution: Record<ErrorSeverity, number>;
}

/** Letters in the queue, counted. */
export interface LetterStats {
  readonly letters: number;
  readonly bytes: number;
  readonly byState: Record<string, number>;
  readonly byReason: Record<string, number>;
  readonly byCategory: Record<string, number>;
  readonly bySubscriber: Record<string, number>;
  readonly bySignature: Record<string, number>;
}

/** Letters of one cause. */
export interface LetterGroup {
  readonly signature: string;
  readonly error_category: ErrorCategory;
  readonly count: number;
  /** When the oldest and the newest of them were given up, in seconds since 1970. */
  readonly first: number;
  readonly last: number;
  /** The first few that differ. */
  readonly topics: readonly string[];
  readonly subscriber_ids: readonly string[];
  /** The newest of them, and what its error said. */
  readonly sample_id: string;
  readonly sample_error: ErrorRecord | null;
}

/** What an edit changes in a letter; what is not named stays. The payload is encoded already. */
export interface LetterEdit {
  readonly key?: string | null;
  readonly priority?: Priority;
  readonly headers?: Headers | null;
  readonly payload?: { readonly codec: CodecId; readonly bytes: Uint8Array };
}

/** How a replayed letter failed again. */
export type ReplayFailure = Pick<
  LetterHeader,
  'error_category' | 'reason' | 'signature' | 'error' | 'started' | 'failed' | 'retry_count' | 'history'
>;

/** What came of letters that were claimed for a replay. */
export interface ReplayOutcomes {
  /** Handled: they go. */
  readonly resolved: readonly string[];
  /** Failed again: they stay, with the new failure. */
  readonly refailed: readonly { readonly id: string; readonly failure: ReplayFailure }[];
  /** Not tried: they stay as they were. */
  readonly returned: readonly string[];
}

/** What may be asked of the logging worker, by Comlink. Each answer comes after what was handed over before. */
export interface LoggingQueries {
  /** @throws with a code and a message that the main half turns into a BusbarError */
  open(): Promise<OpenResult>;
  recentErrors(filter: ErrorFilter): Promise<ErrorReport[]>;
  statistics(): Promise<ErrorStatistics>;
  flush(): Promise<void>;
  listLetters(filter: LetterFilter): Promise<LetterSummary[]>;
  readLetters(ids: readonly string[]): Promise<ReadLetter[]>;
  letterStats(): Promise<LetterStats>;
  letterGroups(filter: LetterFilter): Promise<LetterGroup[]>;
  /** Ids of letters that match, oldest first. */
  letterIds(filter: LetterFilter): Promise<string[]>;
  /** Puts letters that are in one state into another. Returns how many changed. */
  moveLetters(ids: readonly string[], from: LetterState, to: LetterState): Promise<number>;
  /** Marks letters as being replayed and returns them: only those that are not being replayed already. */
  claimLetters(ids: readonly string[]): Promise<ReadLetter[]>;
  settleReplays(outcomes: ReplayOutcomes): Promise<void>;
  /** The letter as it is now; undefined: there is none, or it is being replayed. */
  editLetter(id: string, edit: LetterEdit): Promise<ReadLetter | undefined>;
  removeLetters(ids: readonly string[]): Promise<number>;
  clearLetters(): Promise<number>;
  /** A letter too large for the ring. */
  storeLetter(header: LetterHeader, payload: Uint8Array): Promise<void>;
  /** Ends the thread on the spot; for tests of what comes after. */
  die(): Promise<void>;
  close(): Promise<void>;
}

export type OpenResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: 'BUSBAR_FOLDER_LOCKED' | 'BUSBAR_LOG_FOLDER'; readonly message: string };
