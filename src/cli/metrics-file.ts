// The metrics file of a bus, which outlives it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Times in seconds since 1970. */
export interface Metrics {
  readonly total_errors: number;
  readonly last_updated: number;
  readonly error_counts_by_category: Readonly<Record<string, number>>;
  readonly error_counts_by_severity: Readonly<Record<string, number>>;
}

/** Null when there is none yet, or it cannot be read as one. */
export function readMetrics(folder: string): Metrics | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(join(folder, 'error_metrics.json'), 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  const metrics = parsed as Record<string, unknown>;
  return {
    total_errors: numberOf(metrics['total_errors']),
    last_updated: numberOf(metrics['last_updated']),
    error_counts_by_category: countsOf(metrics['error_counts_by_category']),
    error_counts_by_severity: countsOf(metrics['error_counts_by_severity']),
  };
}

function countsOf(value: unknown): Record<string, number> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, count]) => [name, numberOf(count)]));
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
