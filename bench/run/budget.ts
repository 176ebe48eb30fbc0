// What is asked of the figures, and whether it holds.
import { type Measured, titleOf } from './rounds.js';
import type { Goal } from './row.js';

export interface Budget {
  readonly name: string;
  readonly measured: number;
  readonly budget: number;
  readonly unit: string;
  readonly ok: boolean;
}

/** Median against median. */
export function budgetsOf(measured: Measured): Budget[] {
  const goals = measured.row.goals ?? [];
  return goals.filter(({ part = '' }) => part === measured.part).map((goal) => budgetOf(measured, goal));
}

function budgetOf({ row, part, spreads }: Measured, goal: Goal): Budget {
  const medianOf = (name: string): number => spreads.get(name)?.median ?? Number.NaN;
  const busbar = medianOf('busbar');
  if ('atMost' in goal) {
    const measured = goal.beyond === undefined ? busbar : busbar - medianOf(goal.beyond);
    return { name: goal.name, measured, budget: goal.atMost, unit: row.unit, ok: measured <= goal.atMost };
  }
  const peer = medianOf(goal.timesAsGoodAs);
  const measured = row.better === 'higher' ? busbar / peer : peer / busbar;
  const name = `${titleOf(row, part)}, against ${goal.timesAsGoodAs}`;
  return { name, measured, budget: goal.atLeast, unit: 'times', ok: measured >= goal.atLeast };
}
