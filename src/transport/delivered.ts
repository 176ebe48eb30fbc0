// What the server says about a delivery of its own, and what it is told of one.
import type { Incoming } from './connection-words.js';
import { NANOSECONDS } from './nanoseconds.js';

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
const FULL_STOP = '.'.charCodeAt(0) - ZERO;

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
  /** Where the next number begins; negative: there was none. */
  #at = 0;

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
    this.#at = this.#start.length;
    const count = this.#number(reply);
    const sequence = this.#number(reply);
    const number = this.#number(reply);
    if (this.#at < 0) return undefined;
    this.#at = reply.indexOf('.', this.#at) - STAMP_DIGITS;
    const stamp = this.#number(reply);
    return this.#at < 0 ? undefined : { count, sequence, number, stamp };
  }

  /** The next of the numbers that end with a full stop: as `Number` of a part of the text, of which a text would be made first. */
  #number(reply: string): number {
    let number = 0;
    let at = this.#at;
    let digit = reply.charCodeAt(at) - ZERO;
    for (; digit >= 0 && digit <= 9; digit = reply.charCodeAt(++at) - ZERO) number = number * 10 + digit;
    this.#at = digit === FULL_STOP && at > this.#at ? at + 1 : -1;
    return number;
  }
}
