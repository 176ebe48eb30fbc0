// What is left of a value that cannot be encoded, once everything that cannot be cloned is out of it.

const MOST_LEVELS = 64;
const MOST_OBJECTS = 100_000;

/**
 * A copy without functions, symbols and other things that do not clone. Cycles and shared references are kept; what
 * throws when read is replaced by a note.
 */
export function withoutUncloneable(value: unknown): unknown {
  return copy(value, new Map(), 0);
}

function copy(value: unknown, copies: Map<object, unknown>, level: number): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (copies.has(value)) return copies.get(value);
  if (level > MOST_LEVELS || copies.size > MOST_OBJECTS) return '[too deep]';
  if (isCloneableLeaf(value)) return value;
  return copyContainer(value, copies, level);
}

function copyContainer(value: object, copies: Map<object, unknown>, level: number): unknown {
  if (value instanceof Map) {
    const map = new Map<unknown, unknown>();
    copies.set(value, map);
    for (const [key, item] of value) map.set(copy(key, copies, level + 1), copy(item, copies, level + 1));
    return map;
  }
  if (value instanceof Set) {
    const set = new Set<unknown>();
    copies.set(value, set);
    for (const item of value) set.add(copy(item, copies, level + 1));
    return set;
  }
  const result: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {};
  copies.set(value, result);
  for (const key of keysOf(value)) {
    const item = copy(read(value, key), copies, level + 1);
    if (item === undefined && !Array.isArray(result)) continue;
    // Defined, not assigned: a key named __proto__ must stay a key.
    Object.defineProperty(result, key, { value: item, enumerable: true, configurable: true, writable: true });
  }
  return result;
}

function isCloneableLeaf(value: object): boolean {
  const isOneOf = [Date, RegExp, ArrayBuffer, Boolean, String].some((type) => value instanceof type);
  return isOneOf || (ArrayBuffer.isView(value) && !(value.buffer instanceof SharedArrayBuffer));
}

function keysOf(value: object): string[] {
  try {
    return Object.keys(value);
  } catch {
    return [];
  }
}

function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch (thrown) {
    return `[threw: ${thrown instanceof Error ? thrown.message : typeof thrown}]`;
  }
}
