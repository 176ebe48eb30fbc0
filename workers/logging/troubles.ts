// The logging worker's own troubles with the disk, as lines for its own log.
import { classifyError } from '../../src/shared/classify.js';
import type { ErrorReport } from '../../src/shared/report.js';

/** Named in one line. */
const MOST_PATHS = 10;

/** Belongs to the logging worker. Times in seconds since 1970. */
export class Troubles {
  #last: { readonly error: unknown; readonly first: number; last: number; count: number } | undefined;

  add(error: unknown, now: number): void {
    if (this.#last === undefined) this.#last = { error, first: now, last: now, count: 1 };
    else Object.assign(this.#last, { last: now, count: this.#last.count + 1 });
  }

  /** One report for all troubles since the last one; it waits with the other lines until the disk takes them. */
  take(now: number): ErrorReport | undefined {
    const trouble = this.#last;
    if (trouble === undefined) return undefined;
    this.#last = undefined;
    const { error, first, last, count } = trouble;
    const message = error instanceof Error ? error.message : String(error);
    return {
      error_id: newId(),
      timestamp: now,
      ...classifyError(error),
      component: 'logging_worker',
      message: `could not be written ${count} times: ${message}`,
      exception_type: error instanceof Error ? error.name : typeof error,
      traceback: null,
      context: { first, last, count },
      recovery_attempted: true,
      recovery_successful: true,
      retry_count: 0,
    };
  }

  /** The line that says what others can read. Also a warning: who runs this should know before the log is read. */
  notPrivate(paths: readonly string[], now: number): ErrorReport {
    const more = paths.length > MOST_PATHS ? `, and ${paths.length - MOST_PATHS} more` : '';
    const message = `others have access to ${paths.slice(0, MOST_PATHS).join(', ')}${more}`;
    process.emitWarning(message, 'BusbarWarning');
    return {
      error_id: newId(),
      timestamp: now,
      category: 'authentication_error',
      severity: 'high',
      component: 'logging_worker',
      message,
      exception_type: 'NotPrivate',
      traceback: null,
      context: { count: paths.length },
      recovery_attempted: false,
      recovery_successful: false,
      retry_count: 0,
    };
  }

  /** The line that says what retention took. */
  retired(count: number, bytes: number, age: number, now: number): ErrorReport {
    const what = `${count} beyond maxLetters, ${bytes} beyond maxBytes, ${age} older than maxAgeMs`;
    return {
      error_id: newId(),
      timestamp: now,
      category: 'queue_overflow',
      severity: 'medium',
      component: 'dead_letter_queue',
      message: `the oldest dead letters were removed for good: ${what}`,
      exception_type: 'Retention',
      traceback: null,
      context: { count, bytes, age },
      recovery_attempted: false,
      recovery_successful: false,
      retry_count: 0,
    };
  }
}

/** Loaded at the first trouble: nanoid, an ES module, and node:crypto with it take 20 ms of a new thread's start. */
function newId(): string {
  return process.getBuiltinModule('node:crypto').randomUUID();
}
