// Summaries of letters on their way from the logging worker: in columns, for to copy as many objects takes ten times as long.
import type { LetterFilter, LetterSummary, LoggingQueries } from './logging-task.js';

/** The queries as the worker answers them. */
export interface LoggingAnswers extends Omit<LoggingQueries, 'listLetters'> {
  listLetters(filter: LetterFilter): Promise<LetterColumns>;
}

/** Values of a letter: the numbers of its names and its state, then what are numbers themselves; see `summariesOf`. */
const WIDTH = 12;

export interface LetterColumns {
  readonly ids: string[];
  readonly messageIds: string[];
  readonly timestamps: Float64Array<ArrayBuffer>;
  /** So many of each letter: {@link WIDTH}. */
  readonly values: Uint32Array<ArrayBuffer>;
  readonly names: string[];
}

/** Of each letter first what {@link add} takes, then its names, the state last, and its numbers, in order. Belongs to the logging worker. */
export class LetterTable {
  readonly columns: LetterColumns;
  /** Of names, by their keys. */
  readonly #numbers = new Map<number | string, number>();
  #at = 0;

  /** @param rows how many will be added */
  constructor(rows: number) {
    const timestamps = new Float64Array(rows);
    const values = new Uint32Array(rows * WIDTH);
    this.columns = { ids: [], messageIds: [], timestamps, values, names: [] };
  }

  add(id: string, messageId: string, timestamp: number): void {
    const { ids, messageIds, timestamps } = this.columns;
    timestamps[ids.length] = timestamp;
    ids.push(id);
    messageIds.push(messageId);
  }

  /** @param key stands for this name, and for no other, among all that are added */
  addName(key: number | string, name: string): void {
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.columns.names.push(name) - 1;
      this.#numbers.set(key, number);
    }
    this.addNumber(number);
  }

  addNumber(value: number): void {
    this.columns.values[this.#at++] = value;
  }
}

export function summariesOf({ ids, messageIds, timestamps, values, names }: LetterColumns): LetterSummary[] {
  const nameAt = (at: number): string => names[values[at] as number] as string;
  return ids.map((error_id, row) => {
    const at = row * WIDTH;
    return {
      error_id,
      timestamp: timestamps[row] as number,
      message_id: messageIds[row] as string,
      topic: nameAt(at),
      subscriber_id: nameAt(at + 1),
      pattern: nameAt(at + 2),
      error_category: nameAt(at + 3) as LetterSummary['error_category'],
      reason: nameAt(at + 4) as LetterSummary['reason'],
      signature: nameAt(at + 5),
      retry_count: values[at + 7] as number,
      state: nameAt(at + 6) as LetterSummary['state'],
      replays: values[at + 8] as number,
      replay_failures: values[at + 9] as number,
      edits: values[at + 10] as number,
      bytes: values[at + 11] as number,
    };
  });
}
