// A message that a program gives up itself, as a dead letter.
import { nanoid } from 'nanoid';
import { invalidOption } from '../shared/errors.js';
import type { LetterHeader } from '../shared/logging-task.js';
import type { CodecId, Headers, Priority } from '../shared/message.js';
import type { DeadLetterReason, ErrorReport } from '../shared/report.js';

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
 * @throws BUSBAR_INVALID_OPTION
 */
export function headerOf(
  message: GivenUpMessage,
  report: ErrorReport,
  reason: DeadLetterReason,
  codec: CodecId,
  now: number,
): LetterHeader {
  const { id = nanoid(), topic, key = null, priority = 'normal', headers = null, published_at = now } = message;
  if (typeof topic !== 'string') throw invalidOption('message.topic', 'a string', topic);
  const { signature = '', subscriber_id = '', pattern = topic } = report.context;
  const first = { category: report.category, signature, count: 1, first: report.timestamp, last: report.timestamp };
  return {
    error_id: nanoid(),
    timestamp: now,
    message: { id, topic, key, priority, headers, published_at },
    payload_codec: codec,
    error_category: report.category,
    retry_count: report.retry_count,
    reason,
    signature,
    topic,
    subscriber_id,
    pattern,
    priority,
    key,
    headers,
    started: report.retry_count + 1,
    failed: report.retry_count + 1,
    history: [first],
    error: { name: report.exception_type, message: report.message },
  };
}
