// The name that somebody who misspelt one may have meant.

/** Longer ones are no misspelt names. */
const LONGEST = 40;
/** A beginning that is shorter says nothing. */
const SHORTEST_BEGINNING = 3;

/** Undefined: none is near. Case does not count. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST) return undefined;
  const wanted = name.toLowerCase();
  let found: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const other = candidate.toLowerCase();
    const isBegun = wanted.length >= SHORTEST_BEGINNING && other.startsWith(wanted);
    const distance = isBegun ? Math.min(1, other.length - wanted.length) : distanceOf(wanted, other);
    const most = Math.max(1, Math.floor(Math.max(wanted.length, other.length) / 3));
    if (distance > most || distance >= least) continue;
    least = distance;
    found = candidate;
  }
  return found;
}

/** For the end of an error's text; empty where none is near. */
export function meant(name: string, known: readonly string[], quote = (text: string): string => `'${text}'`): string {
  const found = nearest(name, known);
  return found === undefined ? '' : `: did you mean ${quote(found)}?`;
}

/** Characters to be put in, taken out or changed (Levenshtein). */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let line = 1; line <= one.length; line++) {
    const next = [line];
    for (let column = 1; column <= other.length; column++) {
      const change = (row[column - 1] as number) + (one[line - 1] === other[column - 1] ? 0 : 1);
      next.push(Math.min(change, (row[column] as number) + 1, (next[column - 1] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}
