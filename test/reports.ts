// Error reports for tests.
import type { ErrorReport } from '../src/index.js';

let made = 0;
/** A report as a bus makes one, of a timeout. */
export function reportOf(more: Partial<ErrorReport> = {}): ErrorReport {
  return {
    error_id: `id-${made++}`,
    timestamp: Date.now() / 1000,
    category: 'timeout_error',
    severity: 'high',
    component: 'test',
    message: 'too late',
    exception_type: 'TimeoutError',
    traceback: null,
    context: { topic: 'a.b' },
    recovery_attempted: true,
    recovery_successful: false,
    retry_count: 1,
    ...more,
  };
}
