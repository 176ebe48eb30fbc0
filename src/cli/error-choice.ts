// Which error reports a command is about, and how one is shown on a line.
import { ErrorCategory, type ErrorReport, ErrorSeverity } from '../shared/report.js';
import { isMatch } from '../shared/topic-match.js';
import type { Arguments, OptionName } from './command.js';
import { CliError, Exit } from './exit.js';
import { maskingFrom } from './payload.js';
import { paint, type Style, safe } from './terminal.js';
import { parseWhen, showTime } from './when.js';

export const ERROR_FILTERS: readonly OptionName[] = [
  'topic',
  'subscriber',
  'category',
  'severity',
  'signature',
  'since',
  'until',
  'limit',
];

export type Choice = (report: ErrorReport) => boolean;

/** @throws CliError */
export function choiceFrom(args: Arguments): Choice {
  const category = oneOf('category', args.text('category'), Object.values(ErrorCategory));
  const severity = oneOf('severity', args.text('severity'), Object.values(ErrorSeverity));
  const [topic, subscriber, signature] = [args.text('topic'), args.text('subscriber'), args.text('signature')];
  const since = sinceFrom(args);
  const until = timeFrom(args, 'until') ?? Number.POSITIVE_INFINITY;
  return ({ context, ...report }) =>
    (category === undefined || report.category === category) &&
    (severity === undefined || report.severity === severity) &&
    (topic === undefined || (typeof context.topic === 'string' && isMatch(context.topic, topic))) &&
    (subscriber === undefined || context.subscriber_id === subscriber) &&
    (signature === undefined || context.signature === signature) &&
    report.timestamp >= since &&
    report.timestamp < until;
}

/** Seconds since 1970; the beginning of time when nothing is said. */
export function sinceFrom(args: Arguments): number {
  return timeFrom(args, 'since') ?? Number.NEGATIVE_INFINITY;
}

function timeFrom(args: Arguments, option: 'since' | 'until'): number | undefined {
  const text = args.text(option);
  return text === undefined ? undefined : parseWhen(option, text);
}

/** For programs: the preview of the payload is left out, unless payloads are wanted. */
export function forPrograms(report: ErrorReport, args: Arguments): ErrorReport {
  if (maskingFrom(args) !== 'shape') return report;
  const { message: _preview, ...context } = report.context;
  return { ...report, context };
}

const STYLES: Readonly<Record<ErrorSeverity, Style>> = { low: 'dim', medium: 'yellow', high: 'red', critical: 'red' };

const LONGEST_CATEGORY = Math.max(...Object.values(ErrorCategory).map(({ length }) => length));

/** Whose failure it was: subscriber and topic, or else the part that failed. Safe. */
export function whereOf({ context, component }: ErrorReport): string {
  const parts = [context.subscriber_id, context.topic].filter((part) => typeof part === 'string');
  return safe(parts.join(' ') || component);
}

/**
 * For people: one line, and the preview on another if payloads are wanted.
 *
 * @param whereWidth columns for whose failures they are, so that the texts of several stand below one another
 */
export function showReport(report: ErrorReport, args: Arguments, whereWidth = 0): string[] {
  const { context, severity, category } = report;
  const what = safe(`${report.exception_type}: ${report.message}`);
  const when = `${safe(report.error_id)} ${showTime(report.timestamp)}`;
  const kind = `${paint(STYLES[severity] ?? 'red', safe(severity).padEnd(8))} ${safe(category).padEnd(LONGEST_CATEGORY)}`;
  const lines = [`${when} ${kind} ${paint('bold', whereOf(report).padEnd(whereWidth))} ${what}`];
  if (maskingFrom(args) !== 'shape' && typeof context.message === 'string') lines.push(`  ${safe(context.message)}`);
  return lines;
}

function oneOf(name: OptionName, value: string | undefined, allowed: readonly string[]): string | undefined {
  if (value === undefined || allowed.includes(value)) return value;
  throw new CliError(Exit.USAGE, `--${name} must be one of ${allowed.join(', ')}; received ${JSON.stringify(value)}`);
}
