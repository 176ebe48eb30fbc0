// What a handler logs as plain data: errors as records, cycles cut, bounded in depth and size.
import { isErrorLike, peek, peekText } from './hostile.js';

const DEEPEST = 8;
/** Values in one line. */
const MOST_VALUES = 5000;
const LONGEST_STACK = 8192;
const LONGEST_TEXT = 65_536;
const LONGEST_NAME = 200;
/** Stands for a value that is too deep, or for which there is no room, as there is none for those that follow it. */
const NO_ROOM = '[…]';

/** A copy that JSON can hold. BigInts become texts, Maps and Sets lists. Never throws. */
export function logFields(fields: unknown): unknown {
  return new Copier().copy(fields, []) ?? null;
}

class Copier {
  #left = MOST_VALUES;

  copy(value: unknown, above: readonly object[]): unknown {
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'string') return value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}…` : value;
    if (typeof value === 'symbol' || typeof value === 'function') return undefined;
    if (typeof value !== 'object' || value === null) return value;
    if (above.includes(value)) return '[circular]';
    if (above.length >= DEEPEST || this.#left-- <= 0) return NO_ROOM;
    try {
      return this.#object(value, [...above, value]);
    } catch {
      // A Proxy or a getter that throws.
      return '[unreadable]';
    }
  }

  #object(value: object, above: readonly object[]): unknown {
    const isError: boolean = isErrorLike(value);
    if (isError) return this.#error(value, above);
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return this.copy(toJSON.call(value), above);
    const isList = Array.isArray(value) || value instanceof Set || value instanceof Map;
    if (isList) return this.#list(value as Iterable<unknown>, above);
    const copy: Record<string, unknown> = Object.create(null);
    for (const name of Object.keys(value)) {
      copy[name] = this.#item((value as Record<string, unknown>)[name], above);
      if (this.#left <= 0 && copy[name] === NO_ROOM) break;
    }
    return { ...copy };
  }

  #list(list: Iterable<unknown>, above: readonly object[]): unknown[] {
    const copy: unknown[] = [];
    for (const item of list) {
      copy.push(this.#item(item, above) ?? null);
      if (this.#left <= 0 && copy.at(-1) === NO_ROOM) break;
    }
    return copy;
  }

  #item(value: unknown, above: readonly object[]): unknown {
    return this.#left-- <= 0 ? NO_ROOM : this.copy(value, above);
  }

  #error(error: object, above: readonly object[]): unknown {
    const own = Object.keys(error).map((name) => [name, this.#item(peek(error, name), above)] as const);
    const cause = peek(error, 'cause');
    return {
      ...Object.fromEntries(own),
      name: peekText(error, 'name', LONGEST_NAME) ?? 'Error',
      message: peekText(error, 'message', LONGEST_STACK) ?? '',
      stack: peekText(error, 'stack', LONGEST_STACK),
      ...(cause === undefined ? {} : { cause: this.#item(cause, above) }),
    };
  }
}
