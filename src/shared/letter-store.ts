// Where dead letters are kept when it is not the disk.
import type { LetterHeader, LoggingQueries } from './logging-task.js';

/** What may be asked of any list of dead letters. */
export type LetterQueries = Pick<
  LoggingQueries,
  | 'listLetters'
  | 'letterIds'
  | 'readLetters'
  | 'letterStats'
  | 'letterGroups'
  | 'moveLetters'
  | 'claimLetters'
  | 'settleReplays'
  | 'editLetter'
  | 'removeLetters'
  | 'clearLetters'
>;

/** One list of dead letters for all processes. */
export interface LetterStore extends LetterQueries {
  /**
   * `onStored` is called once, when the letter is stored; until then the delivery is not settled. Copies the payload.
   *
   * @param comesAgain its message does, as long as the delivery is not settled: then the letter need not outlive the process
   */
  letter(header: LetterHeader, payload: Uint8Array, onStored: () => void, comesAgain: boolean): void;
  /** Letters that are not stored yet. */
  readonly waiting: number;
}
