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

/** The part of a reply subject that is the same for all deliveries of a consumer. */
export function markOf(stream: string, consumer: string): string {
  return `.${stream}.${consumer}.`;
}

/**
 * What the server says of a message by its reply subject,
 * `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<count>.<sequence>.<number>.…`; undefined: it is no delivery of this consumer.
 *
 * @param mark see {@link markOf}: to look for it takes a fraction of the time that all tokens take
 */
export function deliveredOf(reply: string, mark: string): Delivered | undefined {
  const found = reply.indexOf(mark);
  if (found < 0 || !reply.startsWith('$JS.ACK.')) return undefined;
  const first = found + mark.length;
  const second = reply.indexOf('.', first) + 1;
  const third = reply.indexOf('.', second) + 1;
  const end = reply.indexOf('.', third);
  const last = reply.indexOf('.', end + 1);
  return {
    count: Number(reply.slice(first, second - 1)),
    sequence: Number(reply.slice(second, third - 1)),
    number: Number(reply.slice(third, end)),
    stamp: Number(reply.slice(last - STAMP_DIGITS, last)),
  };
}
