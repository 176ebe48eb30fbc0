// What a function throws, held to the rules for busbar's own errors.
import { expect } from '@jest/globals';
import { BusbarError } from '../src/index.js';

/** What a function throws, or a promise rejects with. */
export async function errorOf(run: () => unknown): Promise<BusbarError> {
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(BusbarError);
    expect((error as BusbarError).message).not.toContain('\n');
    return error as BusbarError;
  }
  throw new Error('nothing was thrown');
}
