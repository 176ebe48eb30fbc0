// An error in lines of text, with its stack, and the errors that are behind it.
import type { ErrorRecord } from '../shared/report.js';
import { paint, print, safeLines } from './terminal.js';

const MOST_STACK_LINES = 12;

export function printError(error: ErrorRecord, indent = ''): void {
  const code = error.code === undefined ? '' : ` (${error.code})`;
  // Marked, so that no line of a message stands where one of ours would.
  const [first = '', ...more] = safeLines(`${error.name}: ${error.message}${code}`);
  print(indent + paint('red', first));
  for (const line of more) print(`${indent}  | ${paint('red', line)}`);
  const stack = safeLines(error.stack ?? '').filter((line) => line.trim().startsWith('at '));
  for (const line of stack.slice(0, MOST_STACK_LINES)) print(`${indent}  ${line.trim()}`);
  if (error.cause !== undefined) printUnder('because of', error.cause, indent);
  for (const member of error.errors ?? []) printUnder('together with', member, indent);
}

function printUnder(words: string, error: ErrorRecord, indent: string): void {
  print(`${indent}${words}`);
  printError(error, `${indent}  `);
}
