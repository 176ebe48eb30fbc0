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

/** Medians, of busbar's figures or of how they compare in each round. */
export function budgetsOf(measured: Measured): Budget[] {
  const goals = measured.row.goals ?? [];
  return goals.filter(({ part = '' }) => part === measured.part).map((goal) => budgetOf(measured, goal));
}

function budgetOf({ row, part, spreads, times, beyond }: Measured, goal: Goal): Budget {
  if ('atMost' in goal) {
    const spread = goal.beyond === undefined ? spreads.get('busbar') : beyond.get(goal.beyond);
    const measured = spread?.median ?? Number.NaN;
    return { name: goal.name, measured, budget: goal.atMost, unit: row.unit, ok: measured <= goal.atMost };
  }
  const measured = times.get(goal.timesAsGoodAs)?.median ?? Number.NaN;
  const name = `${titleOf(row, part)}, against ${goal.timesAsGoodAs}`;
  return { name, measured, budget: goal.atLeast, unit: 'times', ok: measured >= goal.atLeast };
}
