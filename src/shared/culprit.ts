// Finds what in a value cannot be cloned, for an error message. Only ever called when cloning has failed.
import { types } from 'node:util';
import { peek } from './hostile.js';

const MOST_LEVELS = 64;
const MOST_OBJECTS = 10_000;
const LONGEST_KEY = 64;

/** Where the first one is, as `payload.a[3].fn`, or undefined when none is found. Never throws. */
export function pathOfUncloneable(value: unknown): string | undefined {
  try {
    return search(value, 'payload', new Set(), 0);
  } catch {
    return undefined;
  }
}

function search(value: unknown, path: string, seen: Set<object>, level: number): string | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return path;
  if (typeof value !== 'object' || value === null || seen.has(value)) return undefined;
  if (level > MOST_LEVELS || seen.size > MOST_OBJECTS) return undefined;
  seen.add(value);
  if (isUncloneable(value)) return path;
  if (ArrayBuffer.isView(value)) return undefined;
  if (types.isMap(value)) return searchMap(value, path, seen, level + 1);
  if (types.isSet(value)) return searchSet(value, path, seen, level + 1);
  for (const key of Object.keys(value)) {
    const found = search(peek(value, key), path + step(key, Array.isArray(value)), seen, level + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function searchMap(map: Map<unknown, unknown>, path: string, seen: Set<object>, level: number): string | undefined {
  let index = 0;
  for (const [key, item] of Map.prototype.entries.call(map)) {
    const place = `.entry(${index++})`;
    const found = search(key, `${path}${place}[0]`, seen, level) ?? search(item, `${path}${place}[1]`, seen, level);
    if (found !== undefined) return found;
  }
  return undefined;
}

function searchSet(set: Set<unknown>, path: string, seen: Set<object>, level: number): string | undefined {
  let index = 0;
  for (const item of Set.prototype.values.call(set)) {
    const found = search(item, `${path}.entry(${index++})`, seen, level);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isUncloneable(value: object): boolean {
  return (
    types.isProxy(value) ||
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isGeneratorObject(value) ||
    types.isSharedArrayBuffer(value) ||
    types.isExternal(value) ||
    value instanceof WeakRef
  );
}

function step(key: string, isArray: boolean): string {
  if (isArray && /^\d+$/.test(key)) return `[${key}]`;
  if (/^[A-Za-z_$][\w$]*$/.test(key) && key.length <= LONGEST_KEY) return `.${key}`;
  return `[${JSON.stringify(key.slice(0, LONGEST_KEY))}]`;
}
