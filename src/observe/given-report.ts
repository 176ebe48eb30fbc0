// An error report that a program hands in: checked, so that what is no report never reaches the logging worker.
import { isSeconds } from '../shared/moment.js';
import { type ErrorReport, isCategory, isSeverity } from '../shared/report.js';

/** A report as a program hands it in: what says nothing when it is left out may be left out. */
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
    Number.isFinite(retry_count) &&
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
    context: withShortPreview(context as ErrorReport['context']),
    recovery_attempted: recovery_attempted === true,
    recovery_successful: recovery_successful === true,
    retry_count: retry_count as number,
  };
}

const LONGEST_PREVIEW = 1000;

/** As long as one of busbar's own at the most. */
function withShortPreview(context: ErrorReport['context']): ErrorReport['context'] {
  const { message } = context;
  if (typeof message !== 'string' || message.length <= LONGEST_PREVIEW) return context;
  return { ...context, message: `${message.slice(0, LONGEST_PREVIEW - 1)}…` };
}
