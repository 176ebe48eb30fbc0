// Which letters, or reports, a call is about: ids or a filter, checked before anything is asked of the worker.
import { BusbarError, invalidOption } from '../shared/errors.js';
import type { ErrorFilter, LetterChoice, LetterFilter, LetterState } from '../shared/logging-task.js';
import { type Moment, secondsOf } from '../shared/moment.js';
import { type DeadLetterReason, ErrorCategory, ErrorSeverity } from '../shared/report.js';

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
  'unpublished',
  'manual',
];

/** Takes a field's value as the worker knows it, or throws what is wrong with it. */
type Field = (option: string, value: unknown) => unknown;

function field(rule: string, holds: (value: unknown) => boolean): Field {
  return (option, value) => {
    if (holds(value)) return value;
    throw invalidOption(option, rule, value);
  };
}

const oneOf = (names: readonly string[]): Field =>
  field(`one of ${names.join(', ')}`, (value) => names.includes(value as string));
const text = (rule: string): Field => field(rule, (value) => typeof value === 'string' && value !== '');
const limit = field('a whole number >= 1', (value) => Number.isInteger(value) && (value as number) >= 1);

const LETTER_FIELDS: Readonly<Record<keyof LetterFilter, Field>> = {
  topic: text('a topic or pattern'),
  subscriberId: text('a text that is not empty'),
  category: oneOf(Object.values(ErrorCategory)),
  reason: oneOf(REASONS),
  signature: text('a text that is not empty'),
  state: oneOf(STATES),
  since: secondsOf,
  until: secondsOf,
  limit,
};

const ERROR_FIELDS: Readonly<Record<keyof ErrorFilter, Field>> = {
  category: oneOf(Object.values(ErrorCategory)),
  severity: oneOf(Object.values(ErrorSeverity)),
  topic: text('a topic'),
  subscriberId: text('a text that is not empty'),
  since: secondsOf,
  limit,
};

/**
 * The filter with its times in seconds.
 *
 * @throws BUSBAR_INVALID_OPTION, also for a field that no filter has
 */
export function letterFilter(filter: unknown): LetterFilter {
  return checked(filter, LETTER_FIELDS);
}

/** The same, for reports. */
export function errorFilter(filter: unknown): ErrorFilter {
  return checked(filter, ERROR_FIELDS);
}

/** A misspelt field would match more than was meant, and a purge would take it all. What is undefined is left out. */
function checked(filter: unknown, fields: Readonly<Record<string, Field>>): Record<string, never> {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter))
    throw invalidOption('filter', 'an object', filter);
  const known: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(filter)) {
    const take = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (take === undefined) throw invalidOption('filter', `made of ${Object.keys(fields).join(', ')}`, name);
    if (value !== undefined) known[name] = take(`filter.${name}`, value);
  }
  return known as Record<string, never>;
}

/**
 * The ids of a choice, or its filter. Nothing said is not everything: a filter that came out empty would take all letters.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function letterChoice(choice: LetterChoice<Moment> | undefined): readonly string[] | LetterFilter {
  if (Array.isArray(choice)) {
    assertIds(choice);
    return [...new Set(choice)];
  }
  if (typeof choice === 'object' && choice !== null && 'all' in choice) {
    if (choice.all === true && Object.keys(choice).length === 1) return {};
    throw invalidOption('choice', '{ all: true } and nothing else, or without all', choice);
  }
  if (choice !== undefined) {
    const filter = letterFilter(choice);
    if (Object.keys(filter).length > 0) return filter;
  }
  throw new BusbarError(
    'BUSBAR_INVALID_OPTION',
    'say which letters: a list of error_ids, a filter with a field, or { all: true }',
  );
}

/** True for ids, false for a filter. */
export function isIds(wanted: readonly string[] | LetterFilter): wanted is readonly string[] {
  return Array.isArray(wanted);
}

/**
 * As {@link letterChoice}.
 *
 * @param state of those that a filter means when it names none
 */
export function chosen(choice: LetterChoice<Moment>, state: LetterState): readonly string[] | LetterFilter {
  const wanted = letterChoice(choice);
  return isIds(wanted) ? wanted : { state, ...wanted };
}

function assertIds(ids: readonly unknown[]): asserts ids is readonly string[] {
  if (!ids.every((id) => typeof id === 'string')) throw invalidOption('ids', 'a list of error_ids', ids);
}

/** @throws BUSBAR_INVALID_OPTION */
export function assertReason(reason: unknown): asserts reason is DeadLetterReason {
  if (!REASONS.includes(reason as DeadLetterReason))
    throw invalidOption('reason', `one of ${REASONS.join(', ')}`, reason);
}

/** @throws BUSBAR_INVALID_OPTION */
export function assertId(id: unknown): void {
  if (typeof id !== 'string') throw invalidOption('id', 'the error_id of a letter', id);
}
