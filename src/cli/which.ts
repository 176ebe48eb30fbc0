// Which letters a command is about: ids, filters, or all of them, said in so many words.
import type { LetterChoice, LetterFilter } from '../shared/logging-task.js';
import { ErrorCategory } from '../shared/report.js';
import type { Arguments } from './command.js';
import { CliError, Exit } from './exit.js';
import { parseWhen } from './when.js';

/** @throws CliError */
export function filterFrom(args: Arguments): LetterFilter {
  const time = (option: 'since' | 'until'): number | undefined => {
    const text = args.text(option);
    return text === undefined ? undefined : parseWhen(option, text);
  };
  const fields = {
    topic: args.text('topic'),
    subscriberId: args.text('subscriber'),
    category: args.text('category'),
    reason: args.text('reason'),
    signature: args.text('signature'),
    state: args.text('state'),
    since: time('since'),
    until: time('until'),
    limit: args.number('limit', 1),
  };
  const categories: readonly string[] = Object.values(ErrorCategory);
  if (fields.category !== undefined && !categories.includes(fields.category)) {
    const received = JSON.stringify(fields.category);
    throw new CliError(Exit.USAGE, `--category must be one of ${categories.join(', ')}; received ${received}`);
  }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as LetterFilter;
}

/**
 * Nothing said is not everything: that takes `--all`.
 *
 * @throws CliError
 */
export function whichFrom(args: Arguments): LetterChoice {
  const filter = filterFrom(args);
  const hasFilter = Object.keys(filter).length > 0;
  const ways = [args.operands.length > 0, hasFilter, args.has('all')].filter(Boolean).length;
  if (ways === 0) throw new CliError(Exit.USAGE, 'say which letters: ids, a filter, or --all');
  if (ways > 1) throw new CliError(Exit.USAGE, 'give either ids, or a filter, or --all');
  if (args.operands.length > 0) return [...new Set(args.operands)];
  return hasFilter ? filter : { all: true };
}

/** A message that was never published has no subscriber, nor has a letter that was put into a queue by hand. */
export function showSubscriber(id: string): string {
  return id === '' ? '(none)' : id;
}

/** In words, for a question. */
export function showWhich(which: LetterChoice): string {
  if (Array.isArray(which)) return which.length === 1 ? '1 letter' : `${which.length} letters`;
  if ('all' in which) return 'all letters';
  const parts = Object.entries(which as LetterFilter).map(([name, value]) => `${name} ${value}`);
  return `the letters of ${parts.join(', ')}`;
}
