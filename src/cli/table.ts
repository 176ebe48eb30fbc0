// Tables for people: columns as wide as they need to be, numbers to the right, cut to the terminal.
import { paint, type Style, safe } from './terminal.js';

/** A text of any origin, or a number; made safe here. */
export type Cell = string | number | { readonly text: string; readonly style: Style };

const GAP = '  ';
const NARROWEST = 6;

/** @param most columns of the terminal; undefined: nothing is cut */
export function table(header: readonly string[], rows: readonly (readonly Cell[])[], most?: number): string[] {
  const texts = rows.map((row) => row.map((cell) => safe(textOf(cell))));
  const widths = header.map((name, column) =>
    texts.reduce((widest, row) => Math.max(widest, length(row[column] ?? '')), length(name)),
  );
  if (most !== undefined) squeeze(widths, most - GAP.length * (header.length - 1));
  const isNumber = header.map((_, column) => rows.every((row) => typeof row[column] === 'number'));
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

/** Makes the widest columns narrower until all fit, but none unreadable. */
function squeeze(widths: number[], room: number): void {
  for (let excess = sum(widths) - room; excess > 0; excess--) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] as number) <= NARROWEST) return;
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
