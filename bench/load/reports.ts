// Error reports as a bus writes them, no two alike: those that are would be rolled up.
import { ErrorCategory, type ErrorReport, ErrorSeverity } from '../../src/index.js';

export function reportNumber(number: number): ErrorReport {
  const error = new Error(`sensor ${number} has not answered`);
  return {
    error_id: `report-${number}`,
    timestamp: (performance.timeOrigin + performance.now()) / 1000,
    category: ErrorCategory.MESSAGE_PROCESSING_ERROR,
    severity: ErrorSeverity.MEDIUM,
    component: 'lane',
    message: error.message,
    exception_type: error.name,
    traceback: error.stack ?? null,
    context: {
      message: `{"sensor":${number},"readings":[${'21.375,'.repeat(24)}0]}`,
      subscriber_id: 'detect',
      topic: 'camera.front.frame',
      message_id: `message-${number}`,
      phase: 'handler',
      signature: `v1:${number}`,
    },
    recovery_attempted: true,
    recovery_successful: false,
    retry_count: 2,
  };
}
