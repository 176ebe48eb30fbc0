// The results as text.
import type { Budget } from '../run/budget.js';
import { type Measured, titleOf } from '../run/rounds.js';
import type { Spread } from '../run/spread.js';
import { figure } from './figure.js';

/** One row of the benchmark in a few lines: each contender with its spread, and busbar against each. */
export function textOf({ row, part, spreads, times }: Measured): string {
  const lines = [...spreads].map(([name, spread]) => {
    const ratio = times.get(name);
    const against = ratio === undefined ? '' : `busbar is ${figure(ratio.median)} times as good`;
    return `  ${name.padEnd(24)}${figure(spread.median).padStart(9)} ${row.unit.padEnd(9)} ${range(spread).padEnd(22)}${against}`;
  });
  return [titleOf(row, part), ...lines].join('\n');
}

export function budgetText(budgets: readonly Budget[]): string {
  const width = Math.max(...budgets.map(({ name }) => name.length));
  return budgets
    .map(({ name, measured, budget, unit, ok }) => {
      const verdict = ok ? 'ok    ' : 'MISSED';
      return `  ${verdict} ${name.padEnd(width)}  ${figure(measured)} ${unit} (asked: ${figure(budget)})`;
    })
    .join('\n');
}

function range({ least, most }: Spread): string {
  return `${figure(least)} to ${figure(most)}`;
}
