// A contender as something that can be called, with a promise to each call.
import type { Open, Run } from '../run/row.js';

export interface Calls {
  call(payload: unknown): PromiseLike<unknown>;
  /** @throws as a contender's `close` */
  close(): unknown;
}

export type OpenCalls = (run: Run) => Promise<Calls>;

/** @param begin given the call, makes the measurement that is repeated */
export function contenderOf(
  open: OpenCalls,
  payload: unknown,
  begin: (call: () => PromiseLike<unknown>, run: Run) => Promise<() => Promise<number | readonly number[]>>,
): Open {
  return async (run) => {
    const calls = await open(run);
    const measure = await begin(() => calls.call(payload), run);
    return {
      measure,
      close: async () => {
        await calls.close();
      },
    };
  };
}
