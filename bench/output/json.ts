// The results as JSON, for other programs to read.
import type { Budget } from '../run/budget.js';
import type { Machine } from '../run/machine.js';
import type { Measured } from '../run/rounds.js';

/** All that a run of the benchmark found. */
export interface Results {
  readonly machine: Machine;
  /** Rounds of each row, unless the row says otherwise. */
  readonly rounds: number;
  readonly measured: readonly Measured[];
  readonly budgets: readonly Budget[];
}

/** Medians. */
export function jsonOf({ machine, rounds, measured, budgets }: Results): string {
  const rows = measured.map(({ row, part, spreads }) => {
    const { payload, inflight, unit } = row;
    const name = part === '' ? row.name : `${row.name}, ${part}`;
    const { busbar, ...peers } = Object.fromEntries([...spreads].map(([contender, { median }]) => [contender, median]));
    return { name, payload, inflight, busbar, peers, unit };
  });
  return `${JSON.stringify({ machine, rounds, rows, budgets }, null, 2)}\n`;
}
