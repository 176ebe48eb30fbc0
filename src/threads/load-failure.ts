// What is said of a handler that could not be loaded.
import { BusbarError } from '../shared/errors.js';
import type { HandlerSource, LoadFailure } from '../shared/lane-task.js';
import { ErrorCategory } from '../shared/report.js';
import type { ThreadEnd } from './pool.js';

/**
 * A thread has ended before the handler was loaded and set up.
 *
 * @param end `killed` or `stuck`: it took too long; `deaf`: it was not the handler's turn
 * @param isSettingUp the module was imported already
 */
export function lostWhileLoading(
  { url, setupTimeoutMs }: HandlerSource,
  end: ThreadEnd,
  isSettingUp: boolean,
): LoadFailure {
  const part = `${isSettingUp ? 'setup' : 'import'} of handler module ${url}`;
  const isLate = end === 'killed' || end === 'stuck';
  const what = isLate
    ? `${part} has not ended within ${setupTimeoutMs} ms`
    : end === 'deaf'
      ? `handler module ${url} was not loaded: another handler held its thread, in a loop that it has left behind`
      : `${part} ended its thread (${end})`;
  const { name, message } = new BusbarError('BUSBAR_HANDLER_LOAD', what);
  return { category: ErrorCategory.CONFIGURATION_ERROR, error: { name, message } };
}

/** Its cause is what the module, or its set-up, threw; none where it threw nothing. */
export function loadError({ error }: LoadFailure): BusbarError {
  const cause = error.cause ?? (error.name === 'BusbarError' ? undefined : error);
  return new BusbarError('BUSBAR_HANDLER_LOAD', error.message, cause === undefined ? {} : { cause });
}
