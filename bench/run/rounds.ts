// Runs a row: its contenders take turns, so that what else the machine does hurts all of them alike.
import type { Contender, Row, Run } from './row.js';
import { type Spread, spreadOf } from './spread.js';

/** What came of a row. */
export interface Measured {
  readonly row: Row;
  /** By contender's name. */
  readonly spreads: ReadonlyMap<string, Spread>;
}

/** @throws when a contender cannot be opened, lost a message, or its accounts do not agree */
export async function measureRow(row: Row, run: Run, rounds: number): Promise<Measured> {
  const open = new Map<string, Contender>();
  const figures = new Map<string, number[]>();
  try {
    for (const [name, opener] of Object.entries(row.contenders)) {
      const contender = await opener(run);
      open.set(name, contender);
      await contender.measure();
      figures.set(name, []);
    }
    const names = [...open.keys()];
    for (let round = 0; round < Math.min(rounds, row.rounds ?? rounds); round++) {
      // Each round begins with another contender, so that nobody always follows the same one.
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(round + turn) % names.length] as string;
        figures.get(name)?.push(await (open.get(name) as Contender).measure());
      }
    }
  } finally {
    await closeAll(row, open);
  }
  return { row, spreads: new Map([...figures].map(([name, list]) => [name, spreadOf(list)])) };
}

async function closeAll(row: Row, open: ReadonlyMap<string, Contender>): Promise<void> {
  const troubles: Error[] = [];
  for (const [name, contender] of open) {
    try {
      await contender.close();
    } catch (cause) {
      troubles.push(new Error(`${row.name} ${row.payload}: ${name}: ${String(cause)}`, { cause }));
    }
  }
  if (troubles.length > 0) throw new AggregateError(troubles, troubles.map(({ message }) => message).join('; '));
}
