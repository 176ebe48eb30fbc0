// What the server says about a delivery of its own, and what it is told of one.
import type { Incoming } from './connection-words.js';

export const ACK = '+ACK';
export const TERM = '+TERM';
export const NAK = '-NAK';
export const WORKING = '+WPI';
/** All of it ASCII. */
export type Answer = typeof ACK | typeof TERM | typeof NAK | typeof WORKING;

/** Whole processes ended, or lost their partition, while they had this message. */
export class DeliveredTooOften extends Error {
  override readonly name = 'DeliveredTooOften';
  readonly code = 'BUSBAR_POISON';

  constructor(consumer: string, times: number) {
    super(`the message was delivered ${times} times by ${consumer} and never settled`);
    this.stack = '';
  }
}

export interface Delivered {
  readonly sequence: number;
  /** Times that the server delivered it, this one included. */
  readonly count: number;
  /** The consumer's deliveries are numbered, whoever gets them. */
  readonly number: number;
  /**
   * Tells the message from others of its sequence, by the time when the server stored it, below 1 000 000 000: a cluster whose servers are
   * killed may forget the end of its stream, and give its sequences to other messages.
   */
  readonly stamp: number;
}

/** Digits of a time in nanoseconds that are enough to tell two times from one another. */
const STAMP_DIGITS = 9;
const ZERO = '0'.charCodeAt(0);

const NANOSECONDS = 1_000_000;

/** When the server stored a message, by its reply subject: in milliseconds since 1970. */
export function storedAt(reply: string): number {
  const tokens = reply.split('.');
  return Math.floor(Number(tokens[tokens.length === 9 ? 7 : 9]) / NANOSECONDS);
}

/** A message with it. Each look at what the client hands over makes a view, or a text: this is the first and the last. */
export interface Brought {
  readonly delivery: Delivered;
  readonly message: Incoming;
  readonly reply: string;
  readonly data: Uint8Array;
}

/**
 * Reads what the server says of the messages of one consumer by their reply subjects,
 * `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<count>.<sequence>.<number>.<time>.…`
 */
export class ReplyReader {
  /** The part that is the same for all of them. */
  readonly #mark: string;
  /** All that comes before the count, as it was last: to compare it takes a fraction of what it takes to look for the mark. */
  #start = '';

  constructor(stream: string, consumer: string) {
    this.#mark = `.${stream}.${consumer}.`;
  }

  /** Undefined: it is no delivery of this consumer. */
  read(reply: string): Delivered | undefined {
    if (this.#start === '' || !reply.startsWith(this.#start)) {
      const found = reply.indexOf(this.#mark);
      if (found < 0 || !reply.startsWith('$JS.ACK.')) return undefined;
      this.#start = reply.slice(0, found + this.#mark.length);
    }
    const first = this.#start.length;
    const second = reply.indexOf('.', first) + 1;
    const third = reply.indexOf('.', second) + 1;
    const end = reply.indexOf('.', third);
    const last = reply.indexOf('.', end + 1);
    return {
      count: numberIn(reply, first, second - 1),
      sequence: numberIn(reply, second, third - 1),
      number: numberIn(reply, third, end),
      stamp: numberIn(reply, last - STAMP_DIGITS, last),
    };
  }
}

/** As `Number` of that part, of which a text would have to be made first. */
function numberIn(text: string, from: number, end: number): number {
  let number = 0;
  for (let at = from; at < end; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}
