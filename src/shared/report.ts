// The words of a failure: categories, severities, the error report and the dead letter, as they stand on disk.

/** What kind of failure it was; it decides the recovery. Fixed: eight, and no more. */
export const ErrorCategory = {
  CONNECTION_ERROR: 'connection_error',
  MESSAGE_PROCESSING_ERROR: 'message_processing_error',
  SERIALIZATION_ERROR: 'serialization_error',
  QUEUE_OVERFLOW: 'queue_overflow',
  TIMEOUT_ERROR: 'timeout_error',
  RESOURCE_EXHAUSTION: 'resource_exhaustion',
  AUTHENTICATION_ERROR: 'authentication_error',
  CONFIGURATION_ERROR: 'configuration_error',
} as const;
export type ErrorCategory = (typeof ErrorCategory)[keyof typeof ErrorCategory];

/** How bad it was; it decides the log level (info, warn, error, fatal), never the recovery. */
export const ErrorSeverity = { LOW: 'low', MEDIUM: 'medium', HIGH: 'high', CRITICAL: 'critical' } as const;
export type ErrorSeverity = (typeof ErrorSeverity)[keyof typeof ErrorSeverity];

const CATEGORIES: ReadonlySet<unknown> = new Set(Object.values(ErrorCategory));
const SEVERITIES: ReadonlySet<unknown> = new Set(Object.values(ErrorSeverity));

export function isCategory(value: unknown): value is ErrorCategory {
  return CATEGORIES.has(value);
}

export function isSeverity(value: unknown): value is ErrorSeverity {
  return SEVERITIES.has(value);
}

/**
 * A thrown value of any kind as a bounded plain record: safe to copy between threads and to write to disk.
 * Secrets are redacted already.
 */
export interface ErrorRecord {
  /** The class name, such as `TypeError`; `thrown string` and the like for what is no Error. */
  name: string;
  message: string;
  stack?: string;
  code?: string;
  /** HTTP status, when the error carried one. */
  status?: number;
  syscall?: string;
  /** From a Retry-After hint, in milliseconds. */
  retry_after_ms?: number;
  cause?: ErrorRecord;
  /** The members of an AggregateError, at most 10. */
  errors?: ErrorRecord[];
}

/** Where a failure happened: the same code means a different category at set-up and in a delivery. */
export type ErrorPhase = 'setup' | 'encode' | 'decode' | 'validate' | 'handler' | 'reply' | 'queue' | 'thread' | 'late';

/** One line of message_bus_errors.json. Times are in seconds since 1970. */
export interface ErrorReport {
  error_id: string;
  timestamp: number;
  category: ErrorCategory;
  severity: ErrorSeverity;
  /** The part that failed, such as `lane`, `publisher`, `dead_letter_queue`. */
  component: string;
  message: string;
  exception_type: string;
  traceback: string | null;
  context: ErrorReportContext;
  /** True when a retry or a strategy was tried for this failure, or retries for those before it of its delivery. */
  recovery_attempted: boolean;
  /** True when that recovery succeeded or a retry was granted. */
  recovery_successful: boolean;
  /** Failed attempts of this delivery before this one. */
  retry_count: number;
}

/** What is known about the delivery that failed. */
export interface ErrorReportContext {
  /** A preview of the payload, cut at 1000 characters, redacted. */
  message?: string;
  subscriber_id?: string;
  pattern?: string;
  topic?: string;
  message_id?: string;
  delivery_id?: string;
  phase?: ErrorPhase;
  code?: string;
  signature?: string;
  [detail: string]: unknown;
}

const MOST_RETRIES = 0xffff_ffff;

export function isRetryCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_RETRIES;
}

/** What a report's context has as text, where it has it. */
export const CONTEXT_TEXTS = [
  'message',
  'subscriber_id',
  'pattern',
  'topic',
  'message_id',
  'delivery_id',
  'phase',
  'code',
  'signature',
] as const;

/** How many failures a report stands for, as `context.repeats` says it. */
export function isRepeats(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/** For the user's code: what it does to the copy, it does not do to what is logged. */
export function copyOfReport(report: ErrorReport): ErrorReport {
  return { ...report, context: { ...report.context } };
}

/** Why a delivery was given up. */
export type DeadLetterReason =
  | 'retries_exhausted'
  | 'not_retryable'
  | 'poison'
  | 'overflow'
  | 'breaker_open'
  | 'shutdown'
  | 'expired'
  | 'rejected_by_handler'
  | 'unpublished'
  | 'manual';

/** A delivery that was given up, exactly replayable. Times are in seconds since 1970. */
export interface DeadLetter {
  /** The letter's own id: the id of the report that ended the delivery. */
  error_id: string;
  timestamp: number;
  message: {
    id: string;
    topic: string;
    /** The payload as published. */
    payload: unknown;
    key: string | null;
    priority: 'low' | 'normal' | 'high' | 'critical';
    headers: Readonly<Record<string, string>> | null;
    published_at: number;
  };
  error_category: ErrorCategory;
  /** Failed attempts before the delivery was given up. */
  retry_count: number;
  reason: DeadLetterReason;
  /** Groups letters of one cause: the same class, code, place and message shape. */
  signature: string;
  topic: string;
  subscriber_id: string;
  pattern: string;
  priority: 'low' | 'normal' | 'high' | 'critical';
  key: string | null;
  headers: Readonly<Record<string, string>> | null;
  /** Attempts started, those of innocents caught in another's crash among them. */
  started: number;
  /** Attempts that counted as failed. */
  failed: number;
  /** One entry for each distinct category and signature, oldest first. */
  history: { category: ErrorCategory; signature: string; count: number; first: number; last: number }[];
  error: ErrorRecord;
}
