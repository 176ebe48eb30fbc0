// What lists of dead letters say: which letters a filter means, how many there are of each kind, and what they have in common.
import type { LetterFilter, LetterGroup, LetterStats, LetterSummary } from '../shared/logging-task.js';

/** The first few topics and subscribers of a group that are named. */
const MOST_NAMED = 5;

/** The letters that `filter` means, as many as it wants. */
export function wantedOf(letters: readonly LetterSummary[], filter: LetterFilter): LetterSummary[] {
  return letters.filter((letter) => isWanted(letter, filter)).slice(0, filter.limit ?? letters.length);
}

export function statsOf(letters: readonly LetterSummary[]): LetterStats {
  const stats = {
    byState: counts(),
    byReason: counts(),
    byCategory: counts(),
    bySubscriber: counts(),
    bySignature: counts(),
  };
  let bytes = 0;
  for (const letter of letters) {
    bytes += letter.bytes;
    count(stats.byState, letter.state);
    count(stats.byReason, letter.reason);
    count(stats.byCategory, letter.error_category);
    count(stats.bySubscriber, letter.subscriber_id);
    count(stats.bySignature, letter.signature);
  }
  return { letters: letters.length, bytes, ...stats };
}

/** Those with the most letters first; the errors of their samples are still to be read. */
export function groupsOf(letters: readonly LetterSummary[]): LetterGroup[] {
  const bySignature = new Map<string, LetterSummary[]>();
  for (const letter of letters) {
    const group = bySignature.get(letter.signature);
    if (group === undefined) bySignature.set(letter.signature, [letter]);
    else group.push(letter);
  }
  const groups = [...bySignature.values()].map((group) => {
    const [oldest] = group as [LetterSummary];
    const newest = group.at(-1) ?? oldest;
    return {
      signature: oldest.signature,
      error_category: newest.error_category,
      count: group.length,
      first: oldest.timestamp,
      last: newest.timestamp,
      topics: named(group.map(({ topic }) => topic)),
      subscriber_ids: named(group.map(({ subscriber_id: id }) => id)),
      sample_id: newest.error_id,
      sample_error: null,
    };
  });
  return groups.sort((one, other) => other.count - one.count);
}

function isWanted(letter: LetterSummary, filter: LetterFilter): boolean {
  const { topic, subscriberId, category, reason, signature, state, since, until } = filter;
  const asked: readonly (readonly [unknown, unknown])[] = [
    [subscriberId, letter.subscriber_id],
    [category, letter.error_category],
    [reason, letter.reason],
    [signature, letter.signature],
    [state, letter.state],
  ];
  if (asked.some(([wanted, given]) => wanted !== undefined && wanted !== given)) return false;
  if (since !== undefined && letter.timestamp < since) return false;
  if (until !== undefined && letter.timestamp >= until) return false;
  return topic === undefined || matches(topic.split('.'), letter.topic.split('.'));
}

function matches(pattern: readonly string[], topic: readonly string[]): boolean {
  if (pattern.at(-1) === '>') {
    const first = pattern.slice(0, -1);
    return topic.length > first.length && matches(first, topic.slice(0, first.length));
  }
  return pattern.length === topic.length && pattern.every((token, at) => token === '*' || token === topic[at]);
}

/** Names come from messages: none of them may be one that every object has. */
function counts(): Record<string, number> {
  return Object.create(null);
}

function count(by: Record<string, number>, key: string): void {
  by[key] = (by[key] ?? 0) + 1;
}

function named(names: readonly string[]): string[] {
  return [...new Set(names)].slice(0, MOST_NAMED);
}
