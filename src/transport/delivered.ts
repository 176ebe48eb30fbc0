// What the server says about a delivery of its own, and what it is told of one.

export const ACK = Buffer.from('+ACK');
export const TERM = Buffer.from('+TERM');
export const NAK = Buffer.from('-NAK');
export const WORKING = Buffer.from('+WPI');

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
}

/** What the server says of a message by its reply subject, `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<count>.<sequence>.<number>.…`; undefined: it is none of a consumer. */
export function deliveryOf(reply: string): Delivered | undefined {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return undefined;
  const first = tokens.length === 9 ? 4 : 6;
  return { count: Number(tokens[first]), sequence: Number(tokens[first + 1]), number: Number(tokens[first + 2]) };
}
