// Takes secrets out of texts and values before they leave their thread, and cuts them to a bounded preview.
import { types } from 'node:util';
import { invalidOption } from './errors.js';
import { peek, peekText } from './hostile.js';
import { assertKnown, fields } from './option-checks.js';
import { isSecretName, normalName } from './secret-names.js';
import { REDACTED, withoutSecrets } from './secret-texts.js';

/** What to redact. Plain data, because functions cannot cross threads. */
export interface RedactOptions {
  /**
   * Names of fields whose values are secret, at any depth, in any case, added to busbar's own (password, token,
   * authorization, cookie and the like). A dotted path (`user.email`) matches the end of a field's path.
   */
  readonly paths?: readonly string[];
  /**
   * Sources of regular expressions whose matches are secret, added to busbar's own. They must not match the empty text.
   * Tried on texts of at most 16 384 characters, where an expression that backtracks badly can still take long.
   */
  readonly patterns?: readonly string[];
}

/** Replaces secrets by `[redacted]`. Never throws. */
export interface Redactor {
  /** A text without the secrets that busbar's patterns, or the user's, find. */
  text(text: string): string;
  /** A plain copy of a value, bounded in depth and size, without the values of secret fields. */
  value(value: unknown): unknown;
}

const LONGEST_TEXT = 16 * 1024;
const MOST_LEVELS = 8;
const MOST_ITEMS = 100;
const MOST_VALUES = 2000;
const PREVIEW_CHARACTERS = 1000;
const LONGEST_KEY = 200;
const LONGEST_HEADER_NAME = 64;
/** Fields that name another field, and those that hold its value. */
const NAMES: readonly string[] = ['name', 'key', 'header', 'field'];
const VALUE: ReadonlySet<string> = new Set(['value', 'values']);

/** @throws BUSBAR_INVALID_OPTION when a path is no string, or a pattern no regular expression */
export function createRedactor(options: RedactOptions = {}): Redactor {
  assertKnown('redact', fields('redact', options), ['paths', 'patterns']);
  const paths = list('redact.paths', options.paths).map(checkedPath);
  const names = new Set(paths.filter((path) => !path.includes('.')));
  const dotted = paths.filter((path) => path.includes('.'));
  const ownPatterns = list('redact.patterns', options.patterns).map(checkedPattern);

  const isSecret = (path: string, key: string): boolean =>
    isSecretName(key) ||
    (names.size > 0 && names.has(normalName(key))) ||
    (dotted.length > 0 && dotted.some((end) => path === end || path.endsWith(`.${end}`)));

  const text = (input: string): string => {
    let output = withoutSecrets(input.length > LONGEST_TEXT ? `${input.slice(0, LONGEST_TEXT)}…` : input);
    for (const [pattern, replacement] of ownPatterns) output = output.replace(pattern, replacement);
    return output;
  };
  return { text, value: (input) => new Copier(text, isSecret).copy(input, '', 0) };
}

/** A payload as one short line of text, redacted, at most 1000 characters. Bounded work on payloads of any size. */
export function preview(payload: unknown, redactor: Redactor): string {
  let text: string;
  try {
    const plain = redactor.value(payload);
    text = typeof plain === 'string' ? plain : (JSON.stringify(plain) ?? String(plain));
  } catch {
    text = `[${typeof payload}]`;
  }
  return text.length > PREVIEW_CHARACTERS ? `${text.slice(0, PREVIEW_CHARACTERS - 1)}…` : text;
}

/** Copies one value for reading by people. */
class Copier {
  readonly #text: (text: string) => string;
  readonly #isSecret: (path: string, key: string) => boolean;
  readonly #ancestors = new Set<object>();
  #values = 0;
  #room = LONGEST_TEXT;

  constructor(text: (text: string) => string, isSecret: (path: string, key: string) => boolean) {
    this.#text = text;
    this.#isSecret = isSecret;
  }

  copy(value: unknown, path: string, level: number): unknown {
    if (++this.#values > MOST_VALUES) return '[…]';
    if (typeof value === 'string') return this.#copyText(value);
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
    if (typeof value !== 'object' || value === null) return value;
    if (level > MOST_LEVELS) return '[…]';
    if (this.#ancestors.has(value)) return '[circular]';
    this.#ancestors.add(value);
    try {
      return this.#copyObject(value, path, level);
    } catch (thrown) {
      return this.#text(`[threw: ${peekText(thrown, 'message', 100) ?? typeof thrown}]`);
    } finally {
      this.#ancestors.delete(value);
    }
  }

  /** All texts of one value share one bounded room. */
  #copyText(value: string): string {
    if (this.#room <= 0 && value !== '') return '[…]';
    const cut = value.length > this.#room ? `${value.slice(0, this.#room)}…` : value;
    this.#room -= cut.length;
    return this.#text(cut);
  }

  #copyObject(value: object, path: string, level: number): unknown {
    if (ArrayBuffer.isView(value)) return `[${value.constructor.name} of ${value.byteLength} bytes]`;
    if (value instanceof ArrayBuffer) return `[ArrayBuffer of ${value.byteLength} bytes]`;
    // Its characters would be enumerated one by one.
    if (types.isStringObject(value)) return this.#copyText(String.prototype.valueOf.call(value));
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (value instanceof Error) return this.#text(`${value.name}: ${value.message}`);
    if (value instanceof Map) return this.#entries(value.entries(), (name) => value.get(name), path, level);
    if (value instanceof Set) return this.#items(value.values(), value.size, path, level);
    if (Array.isArray(value)) return this.#items(value.slice(0, MOST_ITEMS).values(), value.length, path, level);
    return this.#entries(ownEntries(value), (name) => peek(value, name), path, level);
  }

  #items(items: Iterable<unknown>, total: number, path: string, level: number): unknown[] {
    const copies: unknown[] = [];
    let isName = false;
    for (const item of items) {
      if (copies.length >= MOST_ITEMS) break;
      copies.push(isName ? REDACTED : this.copy(item, path, level + 1));
      // Of a list of names and values, as the raw headers of HTTP.
      isName = total % 2 === 0 && copies.length % 2 === 1 && this.#isSecretText(item);
    }
    if (total > copies.length) copies.push(`… ${total - copies.length} more`);
    return copies;
  }

  /** @param get one of the entries by its name */
  #entries(
    entries: Iterable<readonly [unknown, unknown]>,
    get: (name: string) => unknown,
    path: string,
    level: number,
  ): Record<string, unknown> {
    const copies: [string, unknown][] = [];
    for (const [rawKey, item] of entries) {
      if (copies.length >= MOST_ITEMS) {
        copies.push(['…', 'more']);
        break;
      }
      const key = keyOf(rawKey);
      const shown = this.#text(key).slice(0, LONGEST_KEY);
      this.#room -= shown.length;
      const name = normalName(key);
      const itsPath = path === '' ? name : `${path}.${name}`;
      // `{ name: 'Authorization', value: … }`.
      const isSecret =
        this.#isSecret(itsPath, key) || (VALUE.has(key) && NAMES.some((n) => this.#isSecretText(get(n))));
      copies.push([shown, isSecret ? REDACTED : this.copy(item, itsPath, level + 1)]);
    }
    // Not assigned one by one: a key named __proto__ must stay a key.
    return Object.fromEntries(copies);
  }

  #isSecretText(value: unknown): boolean {
    return typeof value === 'string' && value.length <= LONGEST_HEADER_NAME && this.#isSecret(normalName(value), value);
  }
}

function* ownEntries(value: object): Generator<readonly [string, unknown]> {
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    let item: unknown;
    try {
      item = (value as Record<string, unknown>)[key];
    } catch {
      item = '[threw]';
    }
    yield [key, item];
  }
}

/** The key of a Map can be anything, and its text of any length. */
function keyOf(key: unknown): string {
  if (typeof key === 'string') return key;
  return typeof key === 'object' && key !== null ? '[object]' : String(key).slice(0, LONGEST_KEY);
}

function list(option: string, value: unknown = []): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalidOption(option, 'a list', value);
}

function checkedPath(path: unknown): string {
  if (typeof path !== 'string' || path === '') throw invalidOption('redact.paths', 'field names', path);
  return path.split('.').map(normalName).join('.');
}

function checkedPattern(pattern: unknown): readonly [RegExp, string] {
  if (typeof pattern !== 'string') throw invalidOption('redact.patterns', 'sources of regular expressions', pattern);
  let compiled: RegExp;
  try {
    compiled = new RegExp(pattern, 'g');
  } catch {
    throw invalidOption('redact.patterns', 'a valid regular expression', pattern);
  }
  if (''.search(compiled) === 0) {
    throw invalidOption('redact.patterns', 'an expression that does not match the empty text', pattern);
  }
  return [compiled, REDACTED];
}
