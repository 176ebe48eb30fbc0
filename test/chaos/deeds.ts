// What handlers do to the bus in chaos, and what has to become of it under the settings that are stated here.
import type { DeadLetterReason, MessageBusOptions } from '../../src/index.js';

/** How each category is retried in chaos: soon, and a different number of times each. */
export const RETRY: NonNullable<MessageBusOptions['retry']> = {
  message_processing_error: { maxRetries: 2, backoffMs: 3 },
  connection_error: { maxRetries: 3, backoffMs: 3 },
  timeout_error: { maxRetries: 1, backoffMs: 3 },
  serialization_error: { maxRetries: 1, backoffMs: 3 },
};

/** From the deadline of an attempt to the end of its thread, in milliseconds. */
export const GRACE_MS = 50;

export type FailureCategory =
  | 'message_processing_error'
  | 'connection_error'
  | 'timeout_error'
  | 'resource_exhaustion'
  | 'authentication_error';

export interface Deed {
  /** Absent: it succeeds in the end. */
  readonly fate?: DeadLetterReason | 'dropped';
  /** Of its failures. */
  readonly category?: FailureCategory;
  /** Attempts that count as failed; the last one ends it, unless it succeeds in the end. */
  readonly failed: number;
  /** It costs a thread, or the time of a deadline. */
  readonly isHeavy?: true;
}

const processing = { category: 'message_processing_error', failed: 3, fate: 'retries_exhausted' } as const;

export const DEEDS = {
  throw: processing,
  reject: processing,
  'throw a string': processing,
  'throw nothing': processing,
  'throw from a timer': processing,
  'float a rejection': { ...processing, isHeavy: true },
  'refuse the connection': { category: 'connection_error', failed: 4, fate: 'retries_exhausted' },
  deny: { category: 'authentication_error', failed: 1, fate: 'not_retryable' },
  'throw once': { category: 'message_processing_error', failed: 1 },
  'throw after the end': { failed: 0 },
  later: { failed: 0 },
  wait: { failed: 0 },
  discard: { failed: 0, fate: 'dropped' },
  'give up': { failed: 0, fate: 'rejected_by_handler' },
  loop: { category: 'timeout_error', failed: 2, fate: 'retries_exhausted', isHeavy: true },
  'loop once': { category: 'timeout_error', failed: 1, isHeavy: true },
  'never settle': { category: 'timeout_error', failed: 2, fate: 'retries_exhausted', isHeavy: true },
  exit: { category: 'connection_error', failed: 2, fate: 'poison', isHeavy: true },
  'exit once': { category: 'connection_error', failed: 1, isHeavy: true },
  hoard: { category: 'resource_exhaustion', failed: 1, fate: 'not_retryable', isHeavy: true },
} as const satisfies Record<string, Deed>;

export type DeedName = keyof typeof DEEDS;

export function deedOf(name: DeedName): Deed {
  return DEEDS[name];
}

export const LIGHT_DEEDS = namesWhere((deed) => deed.isHeavy === undefined);
export const HEAVY_DEEDS = namesWhere((deed) => deed.isHeavy === true);

function namesWhere(isWanted: (deed: Deed) => boolean): readonly DeedName[] {
  return (Object.keys(DEEDS) as DeedName[]).filter((name) => isWanted(deedOf(name)));
}
