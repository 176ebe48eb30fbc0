// The history of a dead letter whose replay failed again: one entry for each distinct category and signature.
import type { DeadLetter } from './report.js';

type History = DeadLetter['history'];

/** Oldest first; what was there keeps its place. */
export function mergedHistory(before: History, added: History): History {
  const merged = before.map((entry) => ({ ...entry }));
  for (const entry of added) {
    const known = merged.find(
      ({ category, signature }) => category === entry.category && signature === entry.signature,
    );
    if (known === undefined) merged.push({ ...entry });
    else Object.assign(known, { count: known.count + entry.count, last: entry.last });
  }
  return merged;
}
