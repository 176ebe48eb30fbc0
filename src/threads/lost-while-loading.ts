// What is said of a handler under which a thread ended before it was loaded and set up.
import { BusbarError } from '../shared/errors.js';
import type { HandlerSource, LoadFailure } from '../shared/lane-task.js';
import { ErrorCategory } from '../shared/report.js';
import type { ThreadEnd } from './pool.js';

/** @param end `killed` or `stuck`: it took too long; `deaf`: it was not the handler's turn */
export function lostWhileLoading({ url, setupTimeoutMs }: HandlerSource, end: ThreadEnd): LoadFailure {
  const isLate = end === 'killed' || end === 'stuck';
  const what = isLate
    ? `was not loaded and set up within ${setupTimeoutMs} ms`
    : end === 'deaf'
      ? 'was not loaded: another handler held its thread, in a loop that it has left behind'
      : `ended its thread while loading (${end})`;
  const { name, message } = new BusbarError('BUSBAR_HANDLER_LOAD', `handler module ${url} ${what}`);
  return { category: ErrorCategory.CONFIGURATION_ERROR, error: { name, message } };
}
