// Puts whatever was thrown into one of the eight categories, where it still has its class, code and causes.
import {
  CATEGORY_OF_CODE,
  CATEGORY_OF_NAME,
  CATEGORY_OF_STATUS,
  SETUP_CATEGORY_OF_CODE,
  SEVERITY_OF,
} from './classification-table.js';
import { statusOf } from './error-record.js';
import type { HandlerRule } from './handler.js';
import { peek, peekList, peekNumber } from './hostile.js';
import { ErrorCategory, type ErrorPhase, type ErrorSeverity } from './report.js';

/** What a failure is, and how bad. */
export interface Classification {
  readonly category: ErrorCategory;
  readonly severity: ErrorSeverity;
}

/** Options of {@link classifyError}. */
export interface ClassifyOptions {
  /** Default `handler`. */
  readonly phase?: ErrorPhase;
  /** Come before busbar's own table; the first that matches decides what it names. */
  readonly rules?: readonly HandlerRule[];
}

const MOST_CAUSES = 8;
const MOST_MEMBERS = 10;

/** Never throws. Runs on any thread; no side effects. */
export function classifyError(
  thrown: unknown,
  { phase = 'handler', rules = [] }: ClassifyOptions = {},
): Classification {
  const rule = rules.length === 0 ? undefined : rules.find((candidate) => matchesSafely(candidate, thrown));
  const category = rule?.category ?? fromChain(thrown, phase) ?? BY_PHASE[phase] ?? BY_PHASE.handler;
  return { category, severity: rule?.severity ?? SEVERITY_OF[category] };
}

/** What an error that says nothing by itself is, by where it came from. */
const BY_PHASE: Readonly<Record<ErrorPhase, ErrorCategory>> = {
  setup: ErrorCategory.CONFIGURATION_ERROR,
  encode: ErrorCategory.SERIALIZATION_ERROR,
  decode: ErrorCategory.SERIALIZATION_ERROR,
  validate: ErrorCategory.MESSAGE_PROCESSING_ERROR,
  handler: ErrorCategory.MESSAGE_PROCESSING_ERROR,
  reply: ErrorCategory.SERIALIZATION_ERROR,
  queue: ErrorCategory.QUEUE_OVERFLOW,
  thread: ErrorCategory.CONNECTION_ERROR,
  late: ErrorCategory.MESSAGE_PROCESSING_ERROR,
};

/** Categories that do not count for a circuit breaker: another attempt elsewhere would fail in the same way. */
export function countsForBreaker(category: ErrorCategory): boolean {
  return (
    category !== ErrorCategory.SERIALIZATION_ERROR &&
    category !== ErrorCategory.AUTHENTICATION_ERROR &&
    category !== ErrorCategory.CONFIGURATION_ERROR
  );
}

/** The first error of the chain, from the outside in, that says what it is. */
function fromChain(thrown: unknown, phase: ErrorPhase): ErrorCategory | undefined {
  let error = thrown;
  for (let depth = 0; depth < MOST_CAUSES && typeof error === 'object' && error !== null; depth++) {
    const category = fromOne(error, phase) ?? fromMembers(error, phase);
    if (category !== undefined) return category;
    const cause = peek(error, 'cause');
    if (cause === error) return undefined;
    error = cause;
  }
  return undefined;
}

/** Later ones weigh more: the worst member of an AggregateError decides. */
const BY_WEIGHT: readonly ErrorCategory[] = [
  ErrorCategory.MESSAGE_PROCESSING_ERROR,
  ErrorCategory.SERIALIZATION_ERROR,
  ErrorCategory.TIMEOUT_ERROR,
  ErrorCategory.CONNECTION_ERROR,
  ErrorCategory.QUEUE_OVERFLOW,
  ErrorCategory.CONFIGURATION_ERROR,
  ErrorCategory.AUTHENTICATION_ERROR,
  ErrorCategory.RESOURCE_EXHAUSTION,
];

function fromMembers(error: object, phase: ErrorPhase): ErrorCategory | undefined {
  let worst = -1;
  for (const member of peekList(error, 'errors', MOST_MEMBERS)) {
    if (typeof member !== 'object' || member === null) continue;
    const category = fromOne(member, phase) ?? fromCause(member, phase);
    if (category !== undefined) worst = Math.max(worst, BY_WEIGHT.indexOf(category));
  }
  return BY_WEIGHT[worst];
}

/** A member is often a wrapper: `fetch failed` says why in its cause only. */
function fromCause(error: object, phase: ErrorPhase): ErrorCategory | undefined {
  const cause = peek(error, 'cause');
  return typeof cause === 'object' && cause !== null ? fromOne(cause, phase) : undefined;
}

function fromOne(error: object, phase: ErrorPhase): ErrorCategory | undefined {
  const byCode = fromCode(error, phase);
  if (byCode !== undefined) return byCode;
  const name = peek(error, 'name');
  if (name === 'AbortError') return isAbortByTimeout(error) ? ErrorCategory.TIMEOUT_ERROR : undefined;
  if (name === 'RangeError') return fromRangeError(error);
  const byName = typeof name === 'string' ? CATEGORY_OF_NAME.get(name) : undefined;
  if (byName !== undefined) return byName;
  const status = statusOf(error);
  return status === undefined ? undefined : CATEGORY_OF_STATUS.get(status);
}

function fromCode(error: object, phase: ErrorPhase): ErrorCategory | undefined {
  const code = peek(error, 'code');
  if (typeof code !== 'string') return undefined;
  // A missing socket file is a connection that failed; any other missing file is the handler's own affair.
  if (code === 'ENOENT' && peek(error, 'syscall') === 'connect') return ErrorCategory.CONNECTION_ERROR;
  return (phase === 'setup' ? SETUP_CATEGORY_OF_CODE.get(code) : undefined) ?? CATEGORY_OF_CODE.get(code);
}

/** DOMException.TIMEOUT_ERR; a user's own abort carries another reason, or none. */
const TIMEOUT_ERR = 23;

function isAbortByTimeout(error: object): boolean {
  const cause = peek(error, 'cause');
  return peekNumber(cause, 'code') === TIMEOUT_ERR || peek(cause, 'name') === 'TimeoutError';
}

const ALLOCATION_FAILURES = [
  'allocation failed',
  'Invalid string length',
  'Invalid array buffer length',
  'Array buffer allocation',
];

function fromRangeError(error: object): ErrorCategory | undefined {
  const message = peek(error, 'message');
  const isAllocation = typeof message === 'string' && ALLOCATION_FAILURES.some((text) => message.includes(text));
  return isAllocation ? ErrorCategory.RESOURCE_EXHAUSTION : undefined;
}

/** A rule that throws, or that names a category there is not, matches nothing. */
function matchesSafely(rule: HandlerRule, thrown: unknown): boolean {
  try {
    return (rule.category === undefined || Object.hasOwn(SEVERITY_OF, rule.category)) && matches(rule, thrown);
  } catch {
    return false;
  }
}

function matches({ when }: HandlerRule, thrown: unknown): boolean {
  if (when.name !== undefined && peek(thrown, 'name') !== when.name) return false;
  if (when.code !== undefined && peek(thrown, 'code') !== when.code) return false;
  if (when.status !== undefined && statusOf(thrown) !== when.status) return false;
  if (when.message === undefined) return true;
  const message = peek(thrown, 'message');
  if (typeof message !== 'string') return false;
  return typeof when.message === 'string'
    ? message.includes(when.message)
    : message.slice(0, 10_000).search(when.message) >= 0;
}
