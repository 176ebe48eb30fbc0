// Letters as a table for main: from column to column, without an object for each letter.
import { LetterTable } from '../../src/shared/letter-table.js';
import type { LetterIndex } from './letter-index.js';

/** Runs on the logging worker. */
export function tableOf(index: LetterIndex, rows: readonly number[]): LetterTable {
  const c = index.columns;
  const names = [c.topic, c.subscriber, c.pattern, c.category, c.reason, c.signature];
  const numbers = [c.retries, c.replays, c.failures, c.edits, c.length];
  const table = new LetterTable(rows.length);
  for (const row of rows) {
    table.add(index.idOf(row), index.messageIdOf(row), c.timestamp[row] as number);
    for (const column of names) table.addName(column[row] as number, index.nameOf(column[row] as number));
    const state = index.stateOf(row);
    // A text, to be told from the numbers of the others.
    table.addName(state, state);
    for (const column of numbers) table.addNumber(column[row] as number);
  }
  return table;
}
