// The plots of the page, as data for Chart.js: one for all rows of the same name.
import type { Measured } from '../run/rounds.js';
import type { Spread } from '../run/spread.js';

/** A plot: bars lie, grouped by line, one colour for each contender. */
export interface Chart {
  readonly title: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  /** Where bars differ more than can be seen side by side. */
  readonly isLogarithmic: boolean;
  /** What distinguishes the lines: payload, number in flight, part. */
  readonly lines: readonly string[];
  readonly series: readonly Series[];
}

export interface Series {
  readonly name: string;
  /** By line; null where this contender does not take part. */
  readonly spreads: readonly (Spread | null)[];
}

/** From this ratio of the longest bar to the shortest on, the shortest would not be seen. */
const MOST_LINEAR = 20;

export function chartsOf(measured: readonly Measured[]): Chart[] {
  const byName = new Map<string, Measured[]>();
  for (const one of measured) {
    const rows = byName.get(one.row.name);
    if (rows === undefined) byName.set(one.row.name, [one]);
    else rows.push(one);
  }
  return [...byName].map(([title, rows]) => chartOf(title, rows));
}

function chartOf(title: string, rows: readonly Measured[]): Chart {
  const { unit, better } = (rows[0] as Measured).row;
  const names = [...new Set(rows.flatMap(({ spreads }) => [...spreads.keys()]))];
  const series = names.map((name) => ({ name, spreads: rows.map(({ spreads }) => spreads.get(name) ?? null) }));
  const medians = series
    .flatMap(({ spreads }) => spreads.map((spread) => spread?.median ?? 0))
    .filter((median) => median > 0);
  const isLogarithmic = Math.max(...medians) / Math.min(...medians) > MOST_LINEAR;
  return { title, unit, better, isLogarithmic, lines: rows.map(lineOf), series };
}

function lineOf({ row, part }: Measured): string {
  return [part, row.payload, row.inflight > 0 ? `${row.inflight} in flight` : ''].filter(Boolean).join(', ');
}
