// A message that a program gives up itself, as a dead letter.
import { nanoid } from 'nanoid';
import { invalidOption } from '../shared/errors.js';
import type { LetterHeader } from '../shared/logging-task.js';
import type { CodecId, Headers, Priority } from '../shared/message.js';
import { isSeconds } from '../shared/moment.js';
import { assertPublishOptions } from '../shared/publish-options.js';
import type { Redactor } from '../shared/redact.js';
import { type DeadLetterReason, ErrorCategory, isCategory, isRetryCount } from '../shared/report.js';
import type { GivenReport } from './given-report.js';
import { assertReason } from './letter-choice.js';

/** A message as `DeadLetterQueue.addMessage` takes it. */
export interface GivenUpMessage {
  /** Not checked: it goes back to the subscription that failed, whatever it is. */
  readonly topic: string;
  /** Whatever structured clone can take; the rest as far as it goes. */
  readonly payload: unknown;
  /** Default: a new one. */
  readonly id?: string;
  /** Default null. */
  readonly key?: string | null;
  /** Default `normal`. */
  readonly priority?: Priority;
  /** Default null. */
  readonly headers?: Headers | null;
  /** Seconds since 1970. */
  readonly published_at?: number;
}

/**
 * @param now seconds since 1970
 * @throws BUSBAR_INVALID_OPTION: a letter with a field of another kind could not be read again
 */
export function headerOf(
  message: GivenUpMessage,
  report: GivenReport,
  reason: DeadLetterReason,
  codec: CodecId,
  now: number,
  redactor: Redactor,
): LetterHeader {
  const { id = nanoid(), topic, key = null, priority = 'normal', headers = null, published_at = now } = message;
  assertPublishOptions({ id, priority, ...(key === null ? {} : { key }), ...(headers === null ? {} : { headers }) });
  assertReason(reason);
  assertText('message.topic', topic);
  assertSeconds('message.published_at', published_at);
  assertReport(report);
  const { context = {}, retry_count = 0 } = report;
  const { signature = '', subscriber_id = '', pattern = topic } = context;
  assertText('report.context.signature', signature);
  assertText('report.context.subscriber_id', subscriber_id);
  assertText('report.context.pattern', pattern);
  const first = { category: report.category, signature, count: 1, first: report.timestamp, last: report.timestamp };
  return {
    error_id: nanoid(),
    timestamp: now,
    message: { id, topic, key, priority, headers, published_at },
    payload_codec: codec,
    error_category: report.category,
    retry_count,
    reason,
    signature,
    topic,
    subscriber_id,
    pattern,
    priority,
    key,
    headers,
    started: retry_count + 1,
    failed: retry_count + 1,
    history: [first],
    error: { name: redactor.text(report.exception_type), message: redactor.text(report.message) },
  };
}

function assertReport(report: unknown): void {
  if (typeof report !== 'object' || report === null) throw invalidOption('report', 'an error report', report);
  const {
    category,
    timestamp,
    retry_count = 0,
    message,
    exception_type,
    context = {},
  } = report as Partial<GivenReport>;
  if (!isCategory(category))
    throw invalidOption('report.category', `one of ${Object.values(ErrorCategory).join(', ')}`, category);
  assertSeconds('report.timestamp', timestamp);
  if (!isRetryCount(retry_count))
    throw invalidOption('report.retry_count', 'a whole number from 0 to 4294967295', retry_count);
  assertText('report.message', message);
  assertText('report.exception_type', exception_type);
  if (typeof context !== 'object' || context === null) throw invalidOption('report.context', 'an object', context);
}

function assertText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw invalidOption(name, 'a string', value);
}

function assertSeconds(name: string, value: unknown): void {
  if (!isSeconds(value)) throw invalidOption(name, 'seconds (not milliseconds) since 1970', value);
}
