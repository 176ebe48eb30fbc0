// What is left of a value that cannot be encoded, once everything that cannot be cloned is out of it.
import { types } from 'node:util';
import { peekText } from './hostile.js';
import { codecOfView } from './views.js';

const MOST_LEVELS = 64;
const MOST_OBJECTS = 100_000;
const LONGEST_REASON = 1000;

/** Said in place of a part that was left out whole. */
const TOO_DEEP = '[too deep]';

/**
 * A copy without functions, symbols and other things that do not clone. Cycles and shared references are kept; what
 * throws when read is replaced by a note, and so is what is deeper than 64 levels or beyond 100 000 objects.
 */
export function withoutUncloneable(value: unknown): unknown {
  return copy(value, new Map(), 0);
}

/** What was thrown, in words; never throws. */
export function reasonOf(thrown: unknown): string {
  if (typeof thrown === 'object' && thrown !== null)
    return peekText(thrown, 'message', LONGEST_REASON) ?? 'not an error';
  return typeof thrown === 'symbol' ? 'a symbol' : String(thrown).slice(0, LONGEST_REASON);
}

function copy(value: unknown, copies: Map<object, unknown>, level: number): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (copies.has(value)) return copies.get(value);
  if (level > MOST_LEVELS || copies.size > MOST_OBJECTS) return TOO_DEEP;
  if (isCloneableLeaf(value)) return value;
  try {
    return copyContainer(value, copies, level + 1);
  } catch (thrown) {
    // A Proxy may throw at any question.
    return `[threw: ${reasonOf(thrown)}]`;
  }
}

function copyContainer(value: object, copies: Map<object, unknown>, level: number): unknown {
  if (types.isMap(value)) return copyMap(value, copies, level);
  if (types.isSet(value)) return copySet(value, copies, level);
  if (types.isNativeError(value)) return copyError(value, copies, level);
  if (Array.isArray(value)) {
    const array: unknown[] = [];
    copies.set(value, array);
    copyFields(value, array, copies, level);
    array.length = Math.max(array.length, value.length);
    return array;
  }
  const object = {};
  copies.set(value, object);
  copyFields(value, object, copies, level);
  return object;
}

function copyMap(value: Map<unknown, unknown>, copies: Map<object, unknown>, level: number): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  copies.set(value, map);
  for (const [key, item] of Map.prototype.entries.call(value))
    map.set(copy(key, copies, level), copy(item, copies, level));
  return map;
}

function copySet(value: Set<unknown>, copies: Map<object, unknown>, level: number): Set<unknown> {
  const set = new Set<unknown>();
  copies.set(value, set);
  for (const item of Set.prototype.values.call(value)) set.add(copy(item, copies, level));
  return set;
}

/** Built anew: what hangs on an error, or its getters, may not clone. */
function copyError(value: Error, copies: Map<object, unknown>, level: number): Error {
  const error = new Error(peekText(value, 'message', Number.POSITIVE_INFINITY) ?? '');
  copies.set(value, error);
  define(error, 'name', peekText(value, 'name', LONGEST_REASON) ?? 'Error');
  define(error, 'stack', peekText(value, 'stack', Number.POSITIVE_INFINITY) ?? '');
  if (Object.hasOwn(value, 'cause')) define(error, 'cause', copy(read(value, 'cause'), copies, level));
  return error;
}

function copyFields(from: object, to: object, copies: Map<object, unknown>, level: number): void {
  for (const key of Object.keys(from)) {
    const item = copy(read(from, key), copies, level);
    if (item !== undefined || Array.isArray(to)) define(to, key, item);
  }
}

/** What clones as it is. */
function isCloneableLeaf(value: object): boolean {
  if (ArrayBuffer.isView(value)) return codecOfView(value) !== undefined;
  return (
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isArrayBuffer(value) ||
    (types.isBoxedPrimitive(value) && !types.isSymbolObject(value))
  );
}

/** Defined, not assigned: a key named __proto__ must stay a key. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch (thrown) {
    return `[threw: ${reasonOf(thrown)}]`;
  }
}
