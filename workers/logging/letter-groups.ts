// Letters counted: in all, by what they have in common, and by cause.
import type { LetterFilter, LetterGroup, LetterStats } from '../../src/shared/logging-task.js';
import { rowsOf } from './letter-filter.js';
import type { LetterIndex } from './letter-index.js';
import type { Letters } from './letters.js';

/** Groups returned, and names listed in each. */
const MOST_GROUPS = 1000;
const MOST_NAMES = 10;

export function statsOf(index: LetterIndex): LetterStats {
  const { columns, rows, size, bytes } = index;
  const countBy = (column: Uint32Array): Record<string, number> => {
    const counts = new Map<number, number>();
    for (let row = 0; row < rows; row++) {
      if (columns.state[row] === 0) continue;
      const name = column[row] as number;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const by: Record<string, number> = Object.create(null);
    for (const [name, count] of counts) by[index.nameOf(name)] = count;
    return by;
  };
  const byState: Record<string, number> = Object.create(null);
  for (let row = 0; row < rows; row++) {
    const state = index.stateOf(row);
    if (state !== 'removed') byState[state] = (byState[state] ?? 0) + 1;
  }
  return {
    letters: size,
    bytes,
    byState,
    byReason: countBy(columns.reason),
    byCategory: countBy(columns.category),
    bySubscriber: countBy(columns.subscriber),
    bySignature: countBy(columns.signature),
  };
}

interface Group {
  count: number;
  first: number;
  newest: number;
  readonly topics: Set<number>;
  readonly subscribers: Set<number>;
}

/** Those with the most letters first. */
export function groupsOf(letters: Letters, filter: LetterFilter): LetterGroup[] {
  const { index } = letters;
  const c = index.columns;
  const groups = new Map<number, Group>();
  for (const row of rowsOf(index, filter)) {
    const signature = c.signature[row] as number;
    let group = groups.get(signature);
    if (group === undefined) {
      group = { count: 0, first: row, newest: row, topics: new Set(), subscribers: new Set() };
      groups.set(signature, group);
    }
    group.count++;
    group.newest = row;
    if (group.topics.size < MOST_NAMES) group.topics.add(c.topic[row] as number);
    if (group.subscribers.size < MOST_NAMES) group.subscribers.add(c.subscriber[row] as number);
  }
  const largest = [...groups.entries()].sort(([, a], [, b]) => b.count - a.count).slice(0, MOST_GROUPS);
  return largest.map(([signature, { count, first, newest, topics, subscribers }]) => {
    const sample = index.idOf(newest);
    return {
      signature: index.nameOf(signature),
      error_category: index.nameOf(c.category[newest] as number) as LetterGroup['error_category'],
      count,
      first: c.timestamp[first] as number,
      last: c.timestamp[newest] as number,
      topics: [...topics].map((name) => index.nameOf(name)),
      subscriber_ids: [...subscribers].map((name) => index.nameOf(name)),
      sample_id: sample,
      sample_error: letters.lineOf(sample)?.error ?? null,
    };
  });
}
