// What goes to the terminal: made harmless, coloured where that is wanted, confirmed by a person where it must be.
import { CliError, Exit } from './exit.js';

/**
 * What a terminal would act on, or show out of order: control characters (C0, DEL and C1 with its one-byte CSI),
 * marks that turn the direction of text, invisible ones, line separators, tags, halves of surrogate pairs.
 */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

const LINE_ENDS = /\r?\n/g;

/** A text of any origin on one line: the end of a line as ⏎, a tab as a space, what else is unsafe as its escape in JSON. */
export function safe(text: string): string {
  return text.replace(LINE_ENDS, ' ⏎ ').replaceAll('\t', ' ').replace(UNSAFE, escaped);
}

/** The same for a text of several lines. */
export function safeLines(text: string): string[] {
  return text.split(/\r?\n/).map((line) => safe(line.replaceAll('\t', '  ')));
}

/** A value as JSON on one line; it says the same and is safe to print. */
export function safeJson(value: unknown): string {
  return safe(JSON.stringify(value) ?? 'null');
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/** A safe line, painted or not, in pieces of at most so many characters, broken between words; the rest is set in. */
export function fold(line: string, most: number): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const word of line.split(/(?<= )/)) {
    if (piece.trim() !== '' && shownLength(piece + word.trimEnd()) > most) {
      pieces.push(piece.trimEnd());
      piece = '    ';
    }
    piece += word;
  }
  return [...pieces, piece];
}

function shownLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what paints takes no room
  return Array.from(text.replace(/\u001b\[\d+m/g, '')).length;
}

/** One safe line to standard output. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** One safe line beside the output. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

const STYLES = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;
export type Style = keyof typeof STYLES;

/** Coloured on a terminal, and not with NO_COLOR. The text must be safe. */
export function paint(style: Style, text: string): string {
  return hasColours() ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
}

function hasColours(): boolean {
  return process.stdout.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

/** Columns of the terminal; undefined when output goes elsewhere, where nothing is cut. */
export function columns(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/**
 * Asks a person on a terminal.
 *
 * @throws CliError when there is no terminal to ask on, or the answer is not yes
 */
export async function confirm(question: string, isConfirmed: boolean): Promise<void> {
  if (isConfirmed) return;
  if (!process.stdin.isTTY) throw new CliError(Exit.REFUSED, `${question} Nobody to ask: say --yes.`);
  const { createInterface } = await import('node:readline/promises');
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const gone = new Promise<string>((resolve) => prompt.once('close', () => resolve('no')));
  const answer = await Promise.race([prompt.question(`${safe(question)} [y/N] `), gone]);
  prompt.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(Exit.REFUSED, 'nothing was done');
}
