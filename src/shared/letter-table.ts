// Summaries of letters on their way from the logging worker: in columns, for to copy as many objects takes ten times as long.
import type { LetterSummary } from './logging-task.js';

/** Under this name both ends tell Comlink of it. */
export const LETTER_TABLE = 'busbar.letters';

const NAMES = ['topic', 'subscriber_id', 'pattern', 'error_category', 'reason', 'signature', 'state'] as const;
const NUMBERS = ['retry_count', 'replays', 'replay_failures', 'edits', 'bytes'] as const;
const WIDTH = NAMES.length + NUMBERS.length;

export interface LetterColumns {
  readonly ids: string[];
  readonly messageIds: string[];
  readonly timestamps: Float64Array<ArrayBuffer>;
  /** Of each letter: the numbers of its {@link NAMES}, then its {@link NUMBERS}. */
  readonly values: Uint32Array<ArrayBuffer>;
  readonly names: string[];
}

/** Belongs to the logging worker. */
export class LetterTable {
  readonly columns: LetterColumns;
  readonly #numbers = new Map<string, number>();

  /** @param rows how many will be added */
  constructor(rows: number) {
    const timestamps = new Float64Array(rows);
    const values = new Uint32Array(rows * WIDTH);
    this.columns = { ids: [], messageIds: [], timestamps, values, names: [] };
  }

  add(letter: LetterSummary): void {
    const { ids, messageIds, timestamps, values } = this.columns;
    const row = ids.length;
    ids.push(letter.error_id);
    messageIds.push(letter.message_id);
    timestamps[row] = letter.timestamp;
    let at = row * WIDTH;
    for (const name of NAMES) values[at++] = this.#number(letter[name]);
    for (const name of NUMBERS) values[at++] = letter[name];
  }

  #number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.columns.names.length);
    return this.columns.names.push(name) - 1;
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
