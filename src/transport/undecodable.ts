// What is wrong with a message in the stream that cannot be read.
import { BusbarError } from '../shared/errors.js';

export function undecodable(why: string): BusbarError {
  return new BusbarError('BUSBAR_DECODING', `a message in the stream cannot be read: ${why}`);
}

export function cutOff(): BusbarError {
  return undecodable('it is cut off');
}

/** True for an object of strings. */
export function isHeaders(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((entry) => typeof entry === 'string');
}
