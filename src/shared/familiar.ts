// Recognizes failures that have just been described in full, so that a storm of them is not described again and again.
import { types } from 'node:util';
import { peek } from './hostile.js';
import { type ErrorCategory as Category, ErrorCategory, type ErrorPhase } from './report.js';

/** Failures of one kind that are described in full in each window; in a storm the others take over what these said. */
const IN_FULL = 10;
const WINDOW_MS = 1000;
/** Kinds that are known at the same time. */
const MOST_KINDS = 64;
const LONGEST_MESSAGE = 500;

/** A kind of failure: one class, code, phase and message but for its numbers. */
export interface Kind {
  /** Its number among those known now. */
  readonly slot: number;
  /** The message of this failure, as thrown. */
  message: string;
  /** Of the last one that was described in full, to be kept by who describes: its message as thrown. */
  described: string;
  /** The same: its category. */
  category: Category;
  /** True: this failure need not be described, for others were. */
  isFamiliar: boolean;
  windowStart: number;
  inFull: number;
}

/**
 * Belongs to one drain. Two failures that differ only in where they were thrown are one kind, and so in a storm may be
 * taken for each other; below ten a second each is seen for itself. About 1 µs.
 */
export class FamiliarFailures {
  readonly #kinds = new Map<string, Kind>();
  readonly #keepsNumbers: boolean;

  /** @param keepsNumbers messages that differ in their numbers are different: rules may tell them apart */
  constructor(keepsNumbers: boolean) {
    this.#keepsNumbers = keepsNumbers;
  }

  /**
   * The failure's kind, valid until the next call; undefined for all but plain errors: what has causes, members or hints
   * is looked at in full. Never throws.
   *
   * @param now `Clock.elapsed()`
   */
  recognize(thrown: unknown, phase: ErrorPhase, now: number): Kind | undefined {
    const message = peek(thrown, 'message');
    if (typeof message !== 'string' || message.length > LONGEST_MESSAGE) return undefined;
    const traits = traitsOf(thrown);
    if (traits === undefined) return undefined;
    const key = `${phase} ${traits} ${this.#keepsNumbers ? message : message.replace(/\d+/g, '0')}`;
    let kind = this.#kinds.get(key);
    if (kind === undefined) {
      if (this.#kinds.size === MOST_KINDS) this.#kinds.clear();
      kind = {
        slot: this.#kinds.size,
        message,
        described: '',
        category: ErrorCategory.MESSAGE_PROCESSING_ERROR,
        isFamiliar: false,
        windowStart: Number.NEGATIVE_INFINITY,
        inFull: 0,
      };
      this.#kinds.set(key, kind);
    }
    if (now - kind.windowStart > WINDOW_MS) {
      kind.windowStart = now;
      kind.inFull = 0;
    }
    kind.message = message;
    kind.isFamiliar = ++kind.inFull > IN_FULL;
    return kind;
  }
}

/** Fields that say more than what makes a kind. */
const TELLING = ['cause', 'errors', 'statusCode', 'response', 'headers', 'retryAfter', 'retryAfterMs'];

/** Class, code, system call and status as one text; undefined when there is more to the error than these. */
function traitsOf(thrown: unknown): string | undefined {
  if (!types.isNativeError(thrown)) return undefined;
  for (const field of TELLING) if (peek(thrown, field) !== undefined) return undefined;
  const name = peek(thrown, 'name');
  const code = peek(thrown, 'code');
  const syscall = peek(thrown, 'syscall');
  const status = peek(thrown, 'status');
  if (typeof name !== 'string') return undefined;
  if (code === undefined && syscall === undefined && status === undefined) return name;
  for (const trait of [code, syscall, status]) {
    if (trait !== undefined && typeof trait !== 'string' && typeof trait !== 'number') return undefined;
  }
  return `${name} ${String(code)} ${String(syscall)} ${String(status)}`;
}
