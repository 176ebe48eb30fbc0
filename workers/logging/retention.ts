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

/** Letters from before it were written by a clock that was not set: nobody knows how old they are. 2020, in seconds. */
const FIRST_KNOWN_TIME = Date.UTC(2020, 0, 1) / 1000;

/**
 * Decides; removes nothing.
 *
 * @param firstRow every row before it is gone
 * @param now seconds since 1970
 * @param all looks at letters behind younger ones, too: a clock that was set back leaves some
 */
export function beyondLimits(
  index: LetterIndex,
  limits: LogLimits,
  firstRow: number,
  now: number,
  all: boolean,
): BeyondLimits {
  const { maxLetters, maxLetterBytes, maxLetterAgeMs } = limits;
  const c = index.columns;
  const retired: Retired = { count: 0, bytes: 0, age: 0 };
  const gone: string[] = [];
  const oldest = now - maxLetterAgeMs / 1000;
  let firstLeft = index.rows;
  let { size, bytes } = index;
  for (let row = firstRow; row < index.rows; row++) {
    if (c.state[row] === 0) continue;
    const time = c.timestamp[row] as number;
    if (time < oldest && time >= FIRST_KNOWN_TIME) retired.age++;
    else if (size > maxLetters) retired.count++;
    else if (bytes > maxLetterBytes) retired.bytes++;
    else {
      firstLeft = Math.min(firstLeft, row);
      if (!all) break;
      continue;
    }
    size--;
    bytes -= c.length[row] as number;
    gone.push(index.idOf(row));
  }
  return { gone, firstLeft, retired };
}
