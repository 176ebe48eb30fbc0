// Which letters a call is about: ids or a filter, checked before anything is asked of the worker.
import { invalidOption } from '../shared/errors.js';
import type { LetterFilter, LetterState } from '../shared/logging-task.js';
import { type DeadLetterReason, ErrorCategory } from '../shared/report.js';

const STATES: readonly LetterState[] = ['dead', 'pending_replay', 'archived'];

const REASONS: readonly DeadLetterReason[] = [
  'retries_exhausted',
  'not_retryable',
  'poison',
  'overflow',
  'breaker_open',
  'shutdown',
  'expired',
  'rejected_by_handler',
  'manual',
];

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const isOneOf = (names: readonly string[]) => (value: unknown) => names.includes(value as string);

/** Each field of a filter: what it has to be, in words and as a check. */
const FIELDS: Readonly<Record<keyof LetterFilter, readonly [rule: string, holds: (value: unknown) => boolean]>> = {
  topic: ['a topic or pattern', isText],
  subscriberId: ['a text', isText],
  category: [`one of ${Object.values(ErrorCategory).join(', ')}`, isOneOf(Object.values(ErrorCategory))],
  reason: [`one of ${REASONS.join(', ')}`, isOneOf(REASONS)],
  signature: ['a text', isText],
  state: [`one of ${STATES.join(', ')}`, isOneOf(STATES)],
  since: ['seconds since 1970', isTime],
  until: ['seconds since 1970', isTime],
  limit: ['a whole number >= 1', (value) => Number.isInteger(value) && (value as number) >= 1],
};

/**
 * A misspelt field would match more letters than was meant, and a purge would take them all.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function assertFilter(filter: unknown): asserts filter is LetterFilter {
  if (typeof filter !== 'object' || filter === null)
    throw invalidOption('filter', 'an object or a list of ids', filter);
  for (const [name, value] of Object.entries(filter)) {
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name as keyof LetterFilter] : undefined;
    if (field === undefined) throw invalidOption('filter', `made of ${Object.keys(FIELDS).join(', ')}`, name);
    const [rule, holds] = field;
    if (value !== undefined && !holds(value)) throw invalidOption(`filter.${name}`, rule, value);
  }
}

/** @throws BUSBAR_INVALID_OPTION */
export function assertIds(ids: unknown): asserts ids is readonly string[] {
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'string')) return;
  throw invalidOption('ids', 'a list of error_ids', ids);
}

/** @throws BUSBAR_INVALID_OPTION */
export function assertReason(reason: unknown): asserts reason is DeadLetterReason {
  if (!REASONS.includes(reason as DeadLetterReason))
    throw invalidOption('reason', `one of ${REASONS.join(', ')}`, reason);
}
