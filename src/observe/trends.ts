// What changes for the worse: dead letters that grow, errors that come faster than they used to. Pure arithmetic.
import type { Minutes } from '../shared/minutes.js';

/** Lately is within so many minutes; what is usual, is taken from the rest of the hour before. */
const LATELY = 5;
const HOUR = 60;
/** Without so many minutes before, nothing is usual yet. */
const FEWEST_MINUTES_BEFORE = 5;
/** Fewer are no trend. */
const FEWEST = 10;
/** So many times the usual rate are a reason. */
const TIMES_USUAL = 2;

export interface Trends {
  /** Dead letters that came lately and are there still; 0 when they are too few to count as growth. */
  readonly newLetters: number;
  /** Errors a minute, lately and usually; null: as usual, or nothing is usual yet. */
  readonly errors: { readonly lately: number; readonly usually: number } | null;
}

/**
 * @param letters those that came
 * @param lettersThere how many are in the queue now: what was replayed or purged has grown no more
 * @param errors those reported
 * @param uptimeMs since the start
 * @param now seconds since 1970
 */
export function trendsOf(
  letters: Minutes,
  lettersThere: number,
  errors: Minutes,
  uptimeMs: number,
  now: number,
): Trends {
  const came = Math.min(letters.sum(LATELY, now), lettersThere);
  const minutesBefore = Math.min(HOUR, Math.floor(uptimeMs / 60_000)) - LATELY;
  return {
    newLetters: came < FEWEST ? 0 : came,
    errors: minutesBefore < FEWEST_MINUTES_BEFORE ? null : risen(errors, minutesBefore, now),
  };
}

function risen(errors: Minutes, minutesBefore: number, now: number): Trends['errors'] {
  const count = errors.sum(LATELY, now);
  const lately = count / LATELY;
  const usually = errors.sum(HOUR - LATELY, now, LATELY) / minutesBefore;
  return count >= FEWEST && lately > TIMES_USUAL * usually ? { lately, usually } : null;
}

/** The same in words. */
export function reasonsOfTrends({ newLetters, errors }: Trends): string[] {
  const reasons: string[] = [];
  if (newLetters > 0) reasons.push(`${newLetters} dead letters came within ${LATELY} minutes`);
  if (errors !== null) {
    reasons.push(`${errors.lately.toFixed(1)} errors a minute, more than twice the usual ${errors.usually.toFixed(1)}`);
  }
  return reasons;
}
