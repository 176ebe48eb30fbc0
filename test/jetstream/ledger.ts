// What a chaos trial checks: that nothing was lost, what came twice is marked, keys kept their order, letters are exact.
import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 64 * 1024;

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
  readonly disordered: { readonly n: number; readonly after: number }[];
  /** In a letter that should not be, or not in one that should. */
  readonly wrongLetters: number[];
}

/** The file into which all processes write what they have handled. Read as it grows: whoever reads it whole holds up its own proxy. */
export class Ledger {
  readonly #handled: Handled[] = [];
  readonly #file: number;
  #rest = '';

  constructor(path: string) {
    this.#file = openSync(path, 'a+');
  }

  /** Takes in what was added since. */
  read(): void {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let bytes = readSync(this.#file, chunk); bytes > 0; bytes = readSync(this.#file, chunk)) {
      const lines = `${this.#rest}${chunk.toString('latin1', 0, bytes)}`.split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#handled.push(entryOf(line));
    }
  }

  /** How many were handled, as far as it was read. */
  get size(): number {
    return this.#handled.length;
  }

  numbers(): Set<number> {
    return new Set(this.#handled.map(({ n }) => n));
  }

  /** In the order in which they were handled, on any process. */
  entries(): Handled[] {
    return this.#handled.toSorted((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
  }

  close(): void {
    closeSync(this.#file);
  }
}

function entryOf(line: string): Handled {
  const [at, n, key, attempt] = line.split(' ');
  return { at: BigInt(at as string), n: Number(n), key: String(key), attempt: Number(attempt) };
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
  const disordered: { n: number; after: number }[] = [];
  for (const { n, key, attempt } of handled) {
    if (attempt === 1) firstAttempts.set(n, (firstAttempts.get(n) ?? 0) + 1);
    if (seen.has(n)) continue;
    seen.add(n);
    const before = latest.get(key) ?? -1;
    if (n < before) disordered.push({ n, after: before });
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
