// Decides whether JSON gives a value back exactly as structured clone would.

/** Deeper values go the general way. */
const MOST_LEVELS = 64;
/** Values of more objects than this go the general way: the walk would cost more than it saves. */
const MOST_OBJECTS = 10_000;

/** True for plain data without undefined, -0, NaN, holes, shared references, or anything that JSON would change. */
export function isPlainJson(value: unknown): boolean {
  return isExact(value, [], 0);
}

/** @param seen the objects met so far, for a second meeting is a shared reference or a cycle */
function isExact(value: unknown, seen: object[], level: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && (value !== 0 || Object.is(value, 0));
    case 'object':
      return value === null || isExactObject(value, seen, level);
    default:
      return false;
  }
}

function isExactObject(value: object, seen: object[], level: number): boolean {
  if (level > MOST_LEVELS || seen.length > MOST_OBJECTS || wasSeen(value, seen)) return false;
  seen.push(value);
  if (Array.isArray(value)) return isExactArray(value, seen, level);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  const fields = value as Record<string, unknown>;
  for (const key in fields) {
    // JSON would call a toJSON; an inherited enumerable key would be a surprise to both.
    if (key === 'toJSON' || !Object.hasOwn(fields, key) || !isExact(fields[key], seen, level + 1)) return false;
  }
  return true;
}

function isExactArray(value: readonly unknown[], seen: object[], level: number): boolean {
  for (let index = 0; index < value.length; index++) {
    if (!isExact(value[index], seen, level + 1)) return false;
  }
  // Holes read as undefined and are refused above; further keys than the indices would be lost.
  return Object.keys(value).length === value.length;
}

function wasSeen(value: object, seen: readonly object[]): boolean {
  const recent = 16;
  for (let index = Math.max(0, seen.length - recent); index < seen.length; index++)
    if (seen[index] === value) return true;
  return seen.length > recent && seen.includes(value);
}
