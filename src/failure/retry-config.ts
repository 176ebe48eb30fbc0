// How each category is retried: the defaults, what may be given in their place, and the sum of both.
import { invalidOption } from '../shared/errors.js';
import { meant, nearest } from '../shared/nearest.js';
import { assertKnown, fields, flag, number, whole } from '../shared/option-checks.js';
import { ErrorCategory } from '../shared/report.js';
import type { RetryConfig } from './backoff.js';

/** By category; what is left out stays as it is. */
export type RetryOverrides = Partial<Record<ErrorCategory, Partial<RetryConfig>>>;

/** A user who has these retried all the same need not say how long to wait. */
const NOT_RETRIED: RetryConfig = { maxRetries: 0, backoffMs: 1000 };

const DEFAULTS: Readonly<Record<ErrorCategory, RetryConfig>> = {
  [ErrorCategory.CONNECTION_ERROR]: { maxRetries: 3, backoffMs: 2000 },
  [ErrorCategory.MESSAGE_PROCESSING_ERROR]: { maxRetries: 2, backoffMs: 1000 },
  [ErrorCategory.SERIALIZATION_ERROR]: { maxRetries: 1, backoffMs: 500 },
  [ErrorCategory.TIMEOUT_ERROR]: { maxRetries: 2, backoffMs: 1500 },
  [ErrorCategory.QUEUE_OVERFLOW]: NOT_RETRIED,
  [ErrorCategory.RESOURCE_EXHAUSTION]: NOT_RETRIED,
  [ErrorCategory.AUTHENTICATION_ERROR]: NOT_RETRIED,
  [ErrorCategory.CONFIGURATION_ERROR]: NOT_RETRIED,
};

const FIELDS = ['maxRetries', 'backoffMs', 'factor', 'maxBackoffMs', 'maxElapsedMs', 'jitter'] as const;

/** False: its failures stay, and no number of retries was used up when there is none. */
export function isRetriedByDefault(category: ErrorCategory): boolean {
  return DEFAULTS[category].maxRetries > 0;
}

/** The category's defaults with what was given in their place; later ones win. All must have been checked. */
export function retryConfig(
  category: ErrorCategory,
  ...given: readonly (Partial<RetryConfig> | undefined)[]
): RetryConfig {
  const config: Record<string, unknown> = { ...DEFAULTS[category] };
  for (const one of given) {
    if (one === undefined) continue;
    for (const field of FIELDS) if (one[field] !== undefined) config[field] = one[field];
  }
  return config as unknown as RetryConfig;
}

/** @throws BUSBAR_INVALID_OPTION */
export function retryOverrides(option: string, overrides: unknown): RetryOverrides {
  for (const [category, config] of Object.entries(fields(option, overrides, 'an object by category'))) {
    assertCategory(option, category);
    assertRetryConfig(`${option}.${category}`, config);
  }
  return overrides as RetryOverrides;
}

/**
 * A misspelt category would otherwise be a default in silence.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function assertCategory(option: string, category: string): void {
  const known: readonly string[] = Object.values(ErrorCategory);
  if (known.includes(category)) return;
  const hint = meant(category, known) || perCategory(category);
  throw invalidOption(option, `keyed by ${known.join(', ')}`, category, hint);
}

/** For who gave a field of a category where the categories are; empty for others. */
function perCategory(name: string): string {
  const field = nearest(name, FIELDS);
  return field === undefined ? '' : `: say ${field} per category, as { timeout_error: { ${field}: … } }`;
}

/** @throws BUSBAR_INVALID_OPTION */
export function assertRetryConfig(option: string, config: unknown): asserts config is Partial<RetryConfig> {
  const given = fields(option, config, 'a retry configuration');
  assertKnown(option, given, FIELDS);
  const { maxRetries, backoffMs, factor, maxBackoffMs, maxElapsedMs, jitter } = given;
  if (maxRetries !== undefined) whole(`${option}.maxRetries`, maxRetries, 0);
  if (backoffMs !== undefined) number(`${option}.backoffMs`, backoffMs, 0);
  if (factor !== undefined) number(`${option}.factor`, factor, 1);
  if (maxBackoffMs !== undefined) number(`${option}.maxBackoffMs`, maxBackoffMs, 0);
  if (maxElapsedMs !== undefined) number(`${option}.maxElapsedMs`, maxElapsedMs, 0);
  if (jitter !== undefined) flag(`${option}.jitter`, jitter);
}
