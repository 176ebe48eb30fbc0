// Waits for servers, but no longer than the bus wants anything of them.
import { BusbarError } from '../shared/errors.js';

/**
 * What `work` comes to.
 *
 * @param doing what for, in the error's words
 * @param late takes what it comes to once nobody waits for it
 * @throws what it throws; BUSBAR_NOT_RUNNING as soon as the bus stops
 */
export function untilStop<T>(
  stopping: AbortSignal | undefined,
  doing: string,
  work: Promise<T>,
  late: (result: T) => void = () => undefined,
): Promise<T> {
  if (stopping === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => {
      reject(new BusbarError('BUSBAR_NOT_RUNNING', `${doing}: the bus is stopping`));
      // That it failed concerns nobody any more.
      work.then(late, () => undefined);
    };
    if (stopping.aborted) {
      stop();
      return;
    }
    stopping.addEventListener('abort', stop);
    work.finally(() => stopping.removeEventListener('abort', stop)).then(resolve, reject);
  });
}
