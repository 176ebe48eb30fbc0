// What a chaos trial checks: that nothing was lost, what came twice is marked, keys kept their order, letters are exact.
import { readFileSync } from 'node:fs';

export interface Handled {
  readonly at: bigint;
  readonly n: number;
  readonly key: string;
  readonly attempt: number;
}

export interface Findings {
  readonly published: number;
  readonly handled: number;
  /** Handlings beyond the first of a message. */
  readonly repeated: number;
  /** Stored, and neither handled nor in a letter. */
  readonly lost: number[];
  /** Handled twice as a first attempt. */
  readonly unmarked: number[];
  /** Handled for the first time after a later message of their key. */
  readonly disordered: string[];
  /** In a letter that should not be, or not in one that should. */
  readonly wrongLetters: number[];
}

/** In the order in which they were handled, on any process. */
export function readLedger(file: string): Handled[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const handled = lines.map((line) => {
    const [at, n, key, attempt] = line.split(' ');
    return { at: BigInt(at as string), n: Number(n), key: String(key), attempt: Number(attempt) };
  });
  return handled.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
}

/** @param letters the numbers of the messages that have a letter, each as often as it has one */
export function examine(
  stored: readonly number[],
  doomed: ReadonlySet<number>,
  handled: readonly Handled[],
  letters: readonly number[],
): Findings {
  const firstAttempts = new Map<number, number>();
  const seen = new Set<number>();
  const latest = new Map<string, number>();
  const disordered: string[] = [];
  for (const { n, key, attempt } of handled) {
    if (attempt === 1) firstAttempts.set(n, (firstAttempts.get(n) ?? 0) + 1);
    if (seen.has(n)) continue;
    seen.add(n);
    const before = latest.get(key) ?? -1;
    if (n < before) disordered.push(`${n} after ${before} of ${key}`);
    else latest.set(key, n);
  }
  const inLetters = new Map<number, number>();
  for (const n of letters) inLetters.set(n, (inLetters.get(n) ?? 0) + 1);
  const wrongLetters = [...inLetters].filter(([n, times]) => !doomed.has(n) || times > 1).map(([n]) => n);
  for (const n of stored) if (doomed.has(n) && !inLetters.has(n)) wrongLetters.push(n);
  return {
    published: stored.length,
    handled: handled.length,
    repeated: handled.length - seen.size,
    lost: stored.filter((n) => !seen.has(n) && !inLetters.has(n)),
    unmarked: [...firstAttempts].filter(([, times]) => times > 1).map(([n]) => n),
    disordered,
    wrongLetters,
  };
}
