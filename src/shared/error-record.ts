// Turns whatever was thrown into a bounded plain record.
import { systemClock } from './clock.js';
import { isErrorLike, peek, peekList, peekNumber, peekText } from './hostile.js';
import type { Redactor } from './redact.js';
import type { ErrorRecord } from './report.js';

const LONGEST_NAME = 200;
const LONGEST_MESSAGE = 2000;
const LONGEST_STACK = 8192;
const MOST_FRAMES = 32;
const MOST_CAUSES = 5;
const MOST_MEMBERS = 10;
/** Messages and stacks of one record, causes and members included: what comes later is cut shorter. */
const MOST_CHARACTERS = 16_384;
const SHORTEST_MESSAGE = 100;
const SHORTEST_STACK = 500;
/** Records in one record, causes and members of members included. */
const MOST_RECORDS = 24;

export interface ErrorRecordOptions {
  /** Default true. Reading a stack for the first time costs more than all the rest. */
  readonly stack?: boolean;
}

/** A thrown value of any kind as plain data, at most about 24 000 characters and usually 1000; redacted. Never throws. */
export function toErrorRecord(
  thrown: unknown,
  redactor: Redactor,
  { stack = true }: ErrorRecordOptions = {},
): ErrorRecord {
  return new Recorder(redactor, stack).record(thrown, 0);
}

class Recorder {
  readonly #redactor: Redactor;
  readonly #withStack: boolean;
  readonly #seen = new Set<unknown>();
  #room = MOST_CHARACTERS;

  constructor(redactor: Redactor, withStack: boolean) {
    this.#redactor = redactor;
    this.#withStack = withStack;
  }

  record(thrown: unknown, depth: number): ErrorRecord {
    this.#seen.add(thrown);
    if (!isErrorLike(thrown)) return { name: `thrown ${kindOf(thrown)}`, message: this.#textOf(thrown) };
    const record: ErrorRecord = {
      name: this.#redactor.text(peekText(thrown, 'name', LONGEST_NAME) || 'Error'),
      message: this.#messageOf(thrown),
    };
    if (this.#withStack) this.#addStack(record, thrown);
    this.#addFields(record, thrown);
    if (depth < MOST_CAUSES) this.#addCauses(record, thrown, depth);
    return record;
  }

  #addStack(record: ErrorRecord, thrown: object): void {
    const stack = peekText(thrown, 'stack', LONGEST_STACK + LONGEST_MESSAGE);
    if (stack === undefined || this.#room < SHORTEST_STACK) return;
    const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
    const head = `${record.name}: ${record.message}`;
    const lines = [head, ...frames.slice(0, MOST_FRAMES).map((line) => this.#redactor.text(line))];
    record.stack = this.#spend(lines.join('\n'), LONGEST_STACK);
  }

  #messageOf(thrown: object): string {
    const longest = Math.max(SHORTEST_MESSAGE, Math.min(LONGEST_MESSAGE, this.#room));
    return this.#spend(this.#redactor.text(peekText(thrown, 'message', longest) ?? ''), LONGEST_MESSAGE);
  }

  #spend(text: string, longest: number): string {
    const cut = text.slice(0, Math.max(SHORTEST_MESSAGE, Math.min(longest, this.#room)));
    this.#room -= cut.length;
    return cut;
  }

  #addFields(record: ErrorRecord, thrown: object): void {
    const code = peek(thrown, 'code');
    if (typeof code === 'string' || typeof code === 'number')
      record.code = this.#redactor.text(String(code).slice(0, LONGEST_NAME));
    const status = statusOf(thrown);
    if (status !== undefined) record.status = status;
    const syscall = peekText(thrown, 'syscall', LONGEST_NAME);
    if (syscall !== undefined) record.syscall = syscall;
    const retryAfterMs = retryAfterOf(thrown);
    if (retryAfterMs !== undefined) record.retry_after_ms = retryAfterMs;
  }

  #addCauses(record: ErrorRecord, thrown: object, depth: number): void {
    const cause = peek(thrown, 'cause');
    if (cause !== undefined && cause !== null && this.#isNew(cause)) record.cause = this.record(cause, depth + 1);
    const members = peekList(thrown, 'errors', MOST_MEMBERS).filter((member) => this.#isNew(member));
    if (members.length > 0) record.errors = members.map((member) => this.record(member, depth + 1));
  }

  #isNew(thrown: unknown): boolean {
    return this.#seen.size < MOST_RECORDS && !this.#seen.has(thrown);
  }

  #textOf(thrown: unknown): string {
    const value = this.#redactor.value(thrown);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return (text ?? String(value)).slice(0, LONGEST_MESSAGE);
  }
}

function kindOf(thrown: unknown): string {
  return thrown === null ? 'null' : typeof thrown;
}

/** The HTTP status that an error carries, in the places where clients put it. */
export function statusOf(thrown: unknown): number | undefined {
  const status =
    peekNumber(thrown, 'status') ?? peekNumber(thrown, 'statusCode') ?? peekNumber(peek(thrown, 'response'), 'status');
  return status !== undefined && status >= 100 && status <= 599 ? status : undefined;
}

const LONGEST_RETRY_AFTER_MS = 24 * 60 * 60 * 1000;

/** A Retry-After hint in milliseconds: `retryAfterMs`, `retryAfter` in seconds, or the header, in seconds or as a date. */
function retryAfterOf(thrown: object): number | undefined {
  const ms = peekNumber(thrown, 'retryAfterMs');
  const seconds =
    peekNumber(thrown, 'retryAfter') ??
    headerSeconds(peek(thrown, 'headers')) ??
    headerSeconds(peek(peek(thrown, 'response'), 'headers'));
  const value = ms ?? (seconds === undefined ? undefined : seconds * 1000);
  return value === undefined || value < 0 ? undefined : Math.min(value, LONGEST_RETRY_AFTER_MS);
}

function headerSeconds(headers: unknown): number | undefined {
  let value = peek(headers, 'retry-after');
  if (value === undefined && typeof peek(headers, 'get') === 'function') {
    try {
      value = (headers as { get(name: string): unknown }).get('retry-after');
    } catch {
      return undefined;
    }
  }
  const seconds = typeof value === 'string' && value.trim() !== '' ? secondsOf(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds : undefined;
}

const LONGEST_DATE = 64;

/** A number of seconds, or a date that is so far off: one that has passed is now. */
function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!Number.isNaN(seconds) || text.length > LONGEST_DATE) return seconds;
  return Math.max(0, (Date.parse(text) - systemClock.now()) / 1000);
}
