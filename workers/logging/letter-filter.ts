// A filter of letters, made ready to be asked of many rows: names are compared as numbers, topics matched once each.
import type { LetterFilter } from '../../src/shared/logging-task.js';
import { isMatch } from '../../src/shared/topic-match.js';
import type { LetterIndex } from './letter-index.js';

/** Rows of the letters that match, in the order of time; none that are gone. */
export function rowsOf(index: LetterIndex, filter: LetterFilter): number[] {
  const {
    since = Number.NEGATIVE_INFINITY,
    until = Number.POSITIVE_INFINITY,
    limit = Number.POSITIVE_INFINITY,
  } = filter;
  const c = index.columns;
  const subscriber = wantedName(index, filter.subscriberId);
  const category = wantedName(index, filter.category);
  const reason = wantedName(index, filter.reason);
  const signature = wantedName(index, filter.signature);
  const isTopic = topicCheck(index, filter.topic);
  const isState = (row: number): boolean => filter.state === undefined || index.stateOf(row) === filter.state;
  const rows: number[] = [];
  for (let row = 0; row < index.rows && rows.length < limit; row++) {
    const time = c.timestamp[row] as number;
    const isWanted =
      c.state[row] !== 0 &&
      (subscriber === ANY || c.subscriber[row] === subscriber) &&
      (category === ANY || c.category[row] === category) &&
      (reason === ANY || c.reason[row] === reason) &&
      (signature === ANY || c.signature[row] === signature);
    if (isWanted && time >= since && time < until && isState(row) && isTopic(c.topic[row] as number)) rows.push(row);
  }
  return rows;
}

const ANY = -2;

function wantedName(index: LetterIndex, name: string | undefined): number {
  return name === undefined ? ANY : index.numberOf(name);
}

function topicCheck(index: LetterIndex, pattern: string | undefined): (topic: number) => boolean {
  if (pattern === undefined) return () => true;
  const known = new Map<number, boolean>();
  return (topic) => {
    let matches = known.get(topic);
    if (matches === undefined) {
      matches = isMatch(index.nameOf(topic), pattern);
      known.set(topic, matches);
    }
    return matches;
  };
}
