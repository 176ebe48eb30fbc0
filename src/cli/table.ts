// Tables for people: columns as wide as they need to be, numbers to the right, cut to the terminal.
import { paint, type Style, safe } from './terminal.js';

/** A text of any origin, or a number; made safe here. */
export type Cell = string | number | { readonly text: string; readonly style: Style };

const GAP = '  ';
const NARROWEST = 6;
/** So much of a text tells it from others. */
const READABLE = 12;

/**
 * @param most columns of the terminal; undefined: nothing is cut. A number never is
 * @param whole names of the columns that are not cut either
 */
export function table(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  most?: number,
  whole: readonly string[] = [],
): string[] {
  const texts = rows.map((row) => row.map((cell) => safe(textOf(cell))));
  const widths = header.map((name, column) =>
    texts.reduce((widest, row) => Math.max(widest, length(row[column] ?? '')), length(name)),
  );
  const isNumber = header.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  if (most !== undefined) {
    const isWhole = header.map((name, column) => isNumber[column] === true || whole.includes(name));
    squeeze(widths, isWhole, most - GAP.length * (header.length - 1));
  }
  const fitted = (text: string, column: number): string => {
    const cut = cutTo(text, widths[column] as number);
    const room = ' '.repeat((widths[column] as number) - length(cut));
    return isNumber[column] ? room + cut : cut + room;
  };
  const lines = [header.map((name, column) => paint('dim', fitted(name, column))).join(GAP)];
  texts.forEach((row, index) => {
    const cells = row.map((text, column) => {
      const cell = (rows[index] as readonly Cell[])[column];
      const shown = fitted(text, column);
      return typeof cell === 'object' ? paint(cell.style, shown) : shown;
    });
    lines.push(cells.join(GAP).trimEnd());
  });
  return lines;
}

/** At most so many characters, with a mark where the rest is missing. */
function cutTo(text: string, most: number): string {
  if (text.length <= most) return text;
  const characters = Array.from(text);
  return characters.length <= most ? text : `${characters.slice(0, Math.max(0, most - 1)).join('')}…`;
}

/** What may be done to a table that has little room, by the names of its columns. */
export interface Fit {
  /** May be left out, those that are missed least first. */
  readonly optional: readonly string[];
  /** Never cut: what is typed again, or says nothing in part. */
  readonly whole?: readonly string[];
}

/**
 * The same without as many of the optional columns as it takes for the others to be readable: those where all is 0 go first.
 * What is left out is said below.
 */
export function fittedTable(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  { optional, whole = [] }: Fit,
  most?: number,
): string[] {
  if (most === undefined) return table(header, rows);
  const isZero = (name: string): boolean => rows.every((row) => row[header.indexOf(name)] === 0);
  const inOrder = [...optional.filter(isZero), ...optional.filter((name) => !isZero(name))];
  const left = new Set(header);
  const narrowest = (name: string): number => {
    const widest = Math.max(...rows.map((row) => length(textOf(row[header.indexOf(name)] as Cell))), length(name));
    const isWhole = typeof rows[0]?.[header.indexOf(name)] === 'number' || whole.includes(name);
    return isWhole ? widest : Math.min(widest, READABLE);
  };
  const needed = (): number => sum([...left].map(narrowest)) + GAP.length * (left.size - 1);
  const out = inOrder.filter((name) => needed() > most && left.delete(name));
  const kept = (row: readonly Cell[]): Cell[] => row.filter((_, column) => left.has(header[column] as string));
  const lines = table([...left], rows.map(kept), most, whole);
  if (out.length > 0)
    lines.push(paint('dim', `no room for: ${header.filter((name) => out.includes(name)).join(', ')}`));
  return lines;
}

/** Makes the widest columns of text narrower until all fit, but none unreadable. */
function squeeze(widths: number[], isWhole: readonly boolean[], room: number): void {
  for (let excess = sum(widths) - room; excess > 0; excess--) {
    const texts = widths.map((width, column) => (isWhole[column] ? 0 : width));
    const widest = texts.indexOf(Math.max(...texts));
    if ((texts[widest] as number) <= NARROWEST) return;
    widths[widest] = (widths[widest] as number) - 1;
  }
}

function textOf(cell: Cell): string {
  return typeof cell === 'object' ? cell.text : String(cell);
}

function length(text: string): number {
  return Array.from(text).length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
