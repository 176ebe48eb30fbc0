// Which letters are beyond the limits of what is kept.
import type { LogLimits } from '../../src/shared/logging-task.js';
import type { LetterIndex } from './letter-index.js';

/** What retention took, by rule. */
export interface Retired {
  count: number;
  bytes: number;
  age: number;
}

/** Ids of letters that have to go, the oldest first, and by which rule. */
interface BeyondLimits {
  readonly gone: readonly string[];
  /** Every row before it is gone, once they are. */
  readonly firstLeft: number;
  readonly retired: Retired;
}

/**
 * Decides; removes nothing.
 *
 * @param firstRow every row before it is gone
 * @param now seconds since 1970
 */
export function beyondLimits(index: LetterIndex, limits: LogLimits, firstRow: number, now: number): BeyondLimits {
  const { maxLetters, maxLetterBytes, maxLetterAgeMs } = limits;
  const c = index.columns;
  const retired: Retired = { count: 0, bytes: 0, age: 0 };
  const gone: string[] = [];
  let { size, bytes } = index;
  let row = firstRow;
  for (; row < index.rows; row++) {
    if (c.state[row] === 0) continue;
    if (now - (c.timestamp[row] as number) > maxLetterAgeMs / 1000) retired.age++;
    else if (size > maxLetters) retired.count++;
    else if (bytes > maxLetterBytes) retired.bytes++;
    else break;
    size--;
    bytes -= c.length[row] as number;
    gone.push(index.idOf(row));
  }
  return { gone, firstLeft: row, retired };
}
