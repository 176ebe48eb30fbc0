// What is asked of the figures, and whether it holds.

import type { Measured } from './rounds.js';
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
  return (measured.row.goals ?? []).map((goal) => budgetOf(measured, goal));
}

function budgetOf({ row, spreads }: Measured, goal: Goal): Budget {
  const busbar = spreads.get('busbar')?.median ?? Number.NaN;
  if ('atMost' in goal) {
    return { name: goal.name, measured: busbar, budget: goal.atMost, unit: row.unit, ok: busbar <= goal.atMost };
  }
  const peer = spreads.get(goal.timesAsGoodAs)?.median ?? Number.NaN;
  const times = row.better === 'higher' ? busbar / peer : peer / busbar;
  const name = [
    row.name,
    row.payload,
    row.inflight > 0 ? `${row.inflight} in flight` : '',
    `against ${goal.timesAsGoodAs}`,
  ];
  return {
    name: name.filter(Boolean).join(', '),
    measured: times,
    budget: goal.atLeast,
    unit: 'times',
    ok: times >= goal.atLeast,
  };
}
