// Says which letters a replay would give back, and which it would not, and why.
import type { LetterFilter, LetterSummary, StoredLetter } from '../shared/logging-task.js';
import { noReplayYet, type ReplayResult, skip } from '../shared/replay.js';
import { isIds } from './letter-choice.js';
import type { ReplayTarget } from './replay.js';

/**
 * As a replay would claim the letters, and find their subscriptions.
 *
 * @param letters those that there are
 * @param wanted ids among these are not there, where there is no such letter
 */
export function dryRun(
  letters: readonly (LetterSummary | StoredLetter)[],
  wanted: readonly string[] | LetterFilter,
  target: ReplayTarget,
): ReplayResult {
  const byId = new Map(letters.map((letter) => [letter.error_id, letter]));
  const result = noReplayYet();
  for (const id of isIds(wanted) ? wanted : byId.keys()) {
    const letter = byId.get(id);
    const standing = letter === undefined ? 'unknown' : standingOf(letter, target);
    if (standing !== 'ready' && standing !== 'held') skip(result, [id], standing);
    else result.replayed.push(id);
    if (standing === 'held') result.held.push(id);
  }
  return result;
}

function standingOf(letter: LetterSummary | StoredLetter, target: ReplayTarget): ReturnType<ReplayTarget['standing']> {
  if (letter.state === 'pending_replay') return 'replaying';
  if ('undecodable' in letter && letter.undecodable === true) return 'undecodable';
  return target.standing(letter);
}
