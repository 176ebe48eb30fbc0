// Checks of single option values: each returns the value, or throws what was wrong with it.
import { invalidOption } from './errors.js';
import { meant } from './nearest.js';

/**
 * A misspelt option would otherwise be a default in silence.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function assertKnown(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalidOption(what, `among ${known.join(', ')}`, name, meant(name, known));
}

/**
 * An object with fields: what is none, or a list, would be one without any of them.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function fields(option: string, value: unknown, rule = 'an object'): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidOption(option, rule, value);
  return value as Record<string, unknown>;
}

/**
 * @param or what else the caller takes, for the error
 * @throws BUSBAR_INVALID_OPTION
 */
export function whole(option: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER, or = ''): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `>= ${least}` : `from ${least} to ${most}`;
  throw invalidOption(option, `${or}a whole number ${range}`, value);
}

/** @throws BUSBAR_INVALID_OPTION */
export function number(option: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= least) return value;
  throw invalidOption(option, `a number >= ${least}`, value);
}

/** @throws BUSBAR_INVALID_OPTION */
export function positive(option: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw invalidOption(option, 'a number > 0', value);
}

/** @throws BUSBAR_INVALID_OPTION */
export function flag(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidOption(option, 'true or false', value);
}

/** @throws BUSBAR_INVALID_OPTION */
export function hook<T>(option: string, value: T | undefined): T | undefined {
  if (value === undefined || typeof value === 'function') return value;
  throw invalidOption(option, 'a function', value);
}

/** @throws BUSBAR_INVALID_OPTION */
export function path(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw invalidOption(option, 'a text that is not empty, without NUL', value);
}

/** @throws BUSBAR_INVALID_OPTION */
export function oneOf<T extends string>(option: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  const hint = typeof value === 'string' ? meant(value, allowed) : '';
  throw invalidOption(option, allowed.map((name) => `'${name}'`).join(' or '), value, hint);
}
