// Asks again what the servers do not answer now: a cluster that elects its leader answers nobody for some seconds.
import { systemClock } from '../shared/clock.js';
import type { BusbarError } from '../shared/errors.js';
import { peek } from '../shared/hostile.js';
import { transportError } from './transport-errors.js';
import { untilStop } from './until-stop.js';

/** How long they are given to elect one, in milliseconds, and how soon to ask again. */
const ELECTION_MS = 15_000;
const AGAIN_MS = 200;

/**
 * @param doing what for, in the error's words
 * @param attempt may be carried out more than once
 * @param stopping left out: nothing ends it before its time
 * @throws what the last attempt threw, as a BusbarError. At once, unless it is one that passes: BUSBAR_TRANSPORT_CONNECTION.
 *   BUSBAR_NOT_RUNNING as soon as the bus stops
 */
export async function patiently<T>(doing: string, attempt: () => Promise<T>, stopping?: AbortSignal): Promise<T> {
  const latest = systemClock.elapsed() + ELECTION_MS;
  for (;;) {
    try {
      return await untilStop(stopping, doing, attempt());
    } catch (thrown) {
      const error = transportError(doing, thrown);
      if (!isPassing(error) || systemClock.elapsed() > latest) throw error;
    }
    const again = new Promise<void>((resume) => systemClock.after(AGAIN_MS, resume, true));
    await untilStop(stopping, doing, again);
  }
}

/** False also once the connection is closed: nobody answers by that any more. */
function isPassing({ code, cause }: BusbarError): boolean {
  return code === 'BUSBAR_TRANSPORT_CONNECTION' && peek(cause, 'name') !== 'ClosedConnectionError';
}
