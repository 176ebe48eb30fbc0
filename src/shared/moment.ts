// A point in time as users name it, in seconds since 1970 as everything on disk has it.
import { invalidOption } from './errors.js';

/** Seconds since 1970, a Date, or an ISO date with or without a time; one without a zone is this machine's. */
export type Moment = number | Date | string;

const DATE_LENGTH = '2026-01-31'.length;
/** Date.parse takes much more: `7` would be a day of the year 2001, and a purge since then would take everything. */
const ISO_DATE = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i;
/** Of the year 5138. In milliseconds it is a day of 1973: what is above was meant in those. */
const LATEST_SECONDS = 1e11;

/** Seconds since 1970; NaN for what is no ISO date. */
export function secondsOfDate(text: string): number {
  if (!ISO_DATE.test(text)) return Number.NaN;
  return Date.parse(text.length === DATE_LENGTH ? `${text}T00:00` : text) / 1000;
}

/** False also for milliseconds. */
export function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LATEST_SECONDS;
}

/** @throws BUSBAR_INVALID_OPTION, also for milliseconds */
export function secondsOf(option: string, moment: unknown): number {
  let seconds: unknown = moment;
  if (typeof moment === 'string') seconds = secondsOfDate(moment);
  else if (moment instanceof Date) seconds = moment.getTime() / 1000;
  if (isSeconds(seconds)) return seconds;
  throw invalidOption(option, 'a Date, an ISO date, or seconds (not milliseconds) since 1970', moment);
}
