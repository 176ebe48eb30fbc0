// An error report that a program hands in: checked, so that what is no report never reaches the logging worker.
import { isSeconds } from '../shared/moment.js';
import { CONTEXT_TEXTS, type ErrorReport, isCategory, isRepeats, isRetryCount, isSeverity } from '../shared/report.js';

/**
 * A report as a program hands it in: what says nothing when it is left out may be left out. `retry_count` is a whole number
 * from 0 to 4 294 967 295. What its context names as busbar does becomes text, or is left out when it makes no sense.
 */
export type GivenReport = Partial<ErrorReport> &
  Pick<ErrorReport, 'error_id' | 'timestamp' | 'category' | 'severity' | 'component' | 'message' | 'exception_type'>;

/**
 * A copy with all fields, those that say nothing when left out filled in; undefined: it is no report, and cannot be made one.
 * Reads what anyone may have handed in: getters that throw make it no report. Never throws.
 */
export function reportFrom(given: unknown): ErrorReport | undefined {
  try {
    return checked(given as Partial<Record<keyof ErrorReport, unknown>>);
  } catch {
    return undefined;
  }
}

function checked(given: Partial<Record<keyof ErrorReport, unknown>>): ErrorReport | undefined {
  const { error_id, timestamp, category, severity, component, message, exception_type } = given;
  const { traceback = null, context = {}, retry_count = 0, recovery_attempted, recovery_successful } = given;
  // One by one: a list of them would cost more than all the rest.
  const isReport =
    typeof error_id === 'string' &&
    typeof component === 'string' &&
    typeof message === 'string' &&
    typeof exception_type === 'string' &&
    (traceback === null || typeof traceback === 'string') &&
    isSeconds(timestamp) &&
    isRetryCount(retry_count) &&
    isCategory(category) &&
    isSeverity(severity) &&
    typeof context === 'object' &&
    context !== null &&
    !Array.isArray(context);
  if (!isReport) return undefined;
  return {
    error_id,
    timestamp,
    category,
    severity,
    component,
    message,
    exception_type,
    traceback,
    context: withShortPreview(asInLog(context as Record<string, unknown>)),
    recovery_attempted: recovery_attempted === true,
    recovery_successful: recovery_successful === true,
    retry_count,
  };
}

/** As the log's schema has it. */
function asInLog(context: Record<string, unknown>): ErrorReport['context'] {
  const { message, subscriber_id, pattern, topic, message_id, delivery_id, phase, code, signature } = context;
  const { repeats, rollup } = context;
  // One by one, for the same reason.
  const isRight =
    isText(message) &&
    isText(subscriber_id) &&
    isText(pattern) &&
    isText(topic) &&
    isText(message_id) &&
    isText(delivery_id) &&
    isText(phase) &&
    isText(code) &&
    isText(signature) &&
    (repeats === undefined || isRepeats(repeats)) &&
    (rollup === undefined || isRollup(rollup));
  return isRight ? context : corrected(context);
}

/** A copy: what can be told as text is, and what makes no sense is left out. */
function corrected(context: Record<string, unknown>): ErrorReport['context'] {
  const copy = { ...context };
  for (const name of CONTEXT_TEXTS) if (!isText(copy[name])) copy[name] = textOf(copy[name]);
  if ('repeats' in copy && !isRepeats(copy['repeats'])) copy['repeats'] = undefined;
  if ('rollup' in copy && !isRollup(copy['rollup'])) copy['rollup'] = undefined;
  return copy;
}

function isText(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    ? String(value)
    : undefined;
}

function isRollup(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { count, first, last } = value as Record<string, unknown>;
  return isRepeats(count) && Number.isFinite(first) && Number.isFinite(last);
}

const LONGEST_PREVIEW = 1000;

/** As long as one of busbar's own at the most. */
function withShortPreview(context: ErrorReport['context']): ErrorReport['context'] {
  const { message } = context;
  if (typeof message !== 'string' || message.length <= LONGEST_PREVIEW) return context;
  return { ...context, message: `${message.slice(0, LONGEST_PREVIEW - 1)}…` };
}
