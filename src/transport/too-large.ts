// Which messages are too large to be published: for the servers, or for the buffer.
import { BusbarError } from '../shared/errors.js';

/** What a letter needs beside its payload: error, history, headers. A larger message could not be dead-lettered. */
const LETTER_ROOM_BYTES = 64 * 1024;

/** @param largestMessage what the server takes, in bytes */
export function tooLargeForServer({ byteLength }: Uint8Array, largestMessage: number): BusbarError | undefined {
  const largest = largestMessage - LETTER_ROOM_BYTES;
  return byteLength <= largest
    ? undefined
    : tooLarge(byteLength, `${largest} bytes, what the server takes less room for a letter`);
}

/** There will never be room for it. */
export function tooLargeForBuffer({ byteLength }: Uint8Array, bufferBytes: number): BusbarError | undefined {
  return byteLength <= bufferBytes ? undefined : tooLarge(byteLength, `${bufferBytes} bytes, the buffer's bufferBytes`);
}

function tooLarge(size: number, limit: string): BusbarError {
  return new BusbarError('BUSBAR_MESSAGE_TOO_LARGE', `a message of ${size} bytes is larger than ${limit}`);
}
