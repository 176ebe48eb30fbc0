// Runs a row: its contenders take turns, so that what else the machine does hurts all of them alike.
import type { Contender, Row, Run } from './row.js';
import { type Spread, spreadOf } from './spread.js';

/** What came of a row, or of one of its parts. */
export interface Measured {
  readonly row: Row;
  /** Empty when the row has no parts. */
  readonly part: string;
  /** By contender's name. */
  readonly spreads: ReadonlyMap<string, Spread>;
}

/**
 * Returns one result for each part of the row.
 *
 * @throws when a contender cannot be opened, lost a message, or its accounts do not agree
 */
export async function measureRow(row: Row, run: Run, rounds: number): Promise<Measured[]> {
  const open = new Map<string, Contender>();
  const figures = new Map<string, (readonly number[])[]>();
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
        figures.get(name)?.push([await (open.get(name) as Contender).measure()].flat());
      }
    }
  } finally {
    await closeAll(row, open);
  }
  return (row.parts ?? ['']).map((part, index) => ({
    row,
    part,
    spreads: new Map([...figures].map(([name, list]) => [name, spreadOf(list.map((parts) => parts[index] as number))])),
  }));
}

/** The row, what is sent, how many are under way: what a line is called. */
export function titleOf(row: Row, part = ''): string {
  return [row.name, part, row.payload, row.inflight > 0 ? `${row.inflight} in flight` : ''].filter(Boolean).join(', ');
}

async function closeAll(row: Row, open: ReadonlyMap<string, Contender>): Promise<void> {
  const troubles: Error[] = [];
  for (const [name, contender] of open) {
    try {
      await contender.close();
    } catch (cause) {
      troubles.push(new Error(`${titleOf(row)}: ${name}: ${String(cause)}`, { cause }));
    }
  }
  if (troubles.length > 0) throw new AggregateError(troubles, troubles.map(({ message }) => message).join('; '));
}
