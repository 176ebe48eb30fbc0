// The options of a message: what they are, and what is wrong with bad ones.
import { LARGEST_TEXT_BYTES } from './delivery.js';
import { invalidOption } from './errors.js';
import { type Headers, PRIORITIES, type Priority } from './message.js';
import { assertKnown } from './option-checks.js';

/** Options of `publish`. */
export interface PublishOptions {
  /** Default `normal`. */
  readonly priority?: Priority;
  /** Messages of one key always go to the same lane. At most 1024 characters. */
  readonly key?: string;
  /** Strings that travel with the message; at most 16 383 characters as JSON. */
  readonly headers?: Headers;
  /** Milliseconds after which no handler starts it any more, more than 0. Default: never. */
  readonly ttlMs?: number;
  /** Milliseconds before it is handed to its subscriptions, 0 or more. It waits on the main thread; not with a transport. Default 0. */
  readonly delayMs?: number;
  /** Default: made by the bus. 1 to 1024 characters. */
  readonly id?: string;
}

/** Options of `request`. */
export interface RequestOptions extends PublishOptions {
  /** How long to wait for the reply, in milliseconds, more than 0. Default 10 000. */
  readonly timeoutMs?: number;
}

const MOST_CHARACTERS = 1024;
const MOST_HEADER_CHARACTERS = Math.floor(LARGEST_TEXT_BYTES / 4);

const KNOWN = ['priority', 'key', 'headers', 'ttlMs', 'delayMs', 'id'];
const KNOWN_OF_REQUESTS = [...KNOWN, 'timeoutMs'];

/** @throws BUSBAR_INVALID_OPTION */
export function assertRequestOptions(options: RequestOptions): void {
  assertPublishOptions(options, KNOWN_OF_REQUESTS);
}

/** @throws BUSBAR_INVALID_OPTION */
export function assertPublishOptions(options: PublishOptions, known: readonly string[] = KNOWN): void {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', 'an object', options);
  assertKnown('options', options, known);
  const { priority, key, headers, ttlMs, delayMs, id } = options;
  if (priority !== undefined && !PRIORITIES.includes(priority)) {
    throw invalidOption('priority', PRIORITIES.map((name) => `'${name}'`).join(', '), priority);
  }
  assertText('key', key, 0);
  assertText('id', id, 1);
  if (ttlMs !== undefined && !(typeof ttlMs === 'number' && Number.isFinite(ttlMs) && ttlMs > 0)) {
    throw invalidOption('ttlMs', 'a number of milliseconds > 0', ttlMs);
  }
  if (delayMs !== undefined && !(typeof delayMs === 'number' && Number.isFinite(delayMs) && delayMs >= 0)) {
    throw invalidOption('delayMs', 'a number of milliseconds >= 0', delayMs);
  }
  if (headers !== undefined) assertHeaders(headers);
}

/** A transport keeps no message back. @throws BUSBAR_INVALID_OPTION */
export function assertNoDelay(delayMs: number | undefined): void {
  if (delayMs !== undefined) throw invalidOption('delayMs', 'left out where there is a transport', delayMs);
}

function assertText(option: string, value: unknown, least: number): void {
  if (value === undefined) return;
  if (typeof value === 'string' && value.length >= least && value.length <= MOST_CHARACTERS) return;
  throw invalidOption(option, `a text of ${least} to ${MOST_CHARACTERS} characters`, value);
}

function assertHeaders(headers: unknown): void {
  const isRecord = typeof headers === 'object' && headers !== null && !Array.isArray(headers);
  if (isRecord && Object.values(headers).every((value) => typeof value === 'string')) {
    if (JSON.stringify(headers).length <= MOST_HEADER_CHARACTERS) return;
  }
  throw invalidOption('headers', `strings by name, at most ${MOST_HEADER_CHARACTERS} characters as JSON`, headers);
}
