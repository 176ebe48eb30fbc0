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
  /**
   * How many times as good as each peer busbar was, round by round: what a round's two figures have in common, such as
   * another process that wants the machine, cancels out.
   */
  readonly times: ReadonlyMap<string, Spread>;
  /** How much more than each peer busbar took, round by round, in the row's unit. */
  readonly beyond: ReadonlyMap<string, Spread>;
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
      open.set(name, await opener(run));
      figures.set(name, []);
    }
    if (row.isCold !== true) await warmUp([...open.values()], run);
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
  return (row.parts ?? ['']).map((part, index) =>
    measuredOf(
      row,
      part,
      new Map([...figures].map(([name, list]) => [name, list.map((parts) => parts[index] as number)])),
    ),
  );
}

/**
 * V8 compiles what runs often, and for some of it that takes longer than one measurement. They take turns here as well: what it makes
 * of code that they share depends on who runs it, and would be made anew in the first rounds for one that had warmed up alone.
 */
async function warmUp(contenders: readonly Contender[], { warmUpMs }: Run): Promise<void> {
  const spent = new Map<Contender, number>();
  for (let cold = contenders; cold.length > 0; cold = cold.filter((one) => (spent.get(one) ?? 0) < warmUpMs)) {
    for (const contender of cold) {
      const began = performance.now();
      await contender.measure();
      spent.set(contender, (spent.get(contender) ?? 0) + performance.now() - began);
    }
  }
}

/** @param figures by contender's name, one for each round */
function measuredOf(row: Row, part: string, figures: ReadonlyMap<string, readonly number[]>): Measured {
  const spreads = new Map<string, Spread>();
  const times = new Map<string, Spread>();
  const beyond = new Map<string, Spread>();
  const busbar = figures.get('busbar') ?? [];
  for (const [name, list] of figures) {
    spreads.set(name, spreadOf(list));
    if (name === 'busbar') continue;
    const ratios = list.map((peer, round) => (busbar[round] as number) / peer);
    beyond.set(name, spreadOf(list.map((peer, round) => (busbar[round] as number) - peer)));
    times.set(name, spreadOf(row.better === 'higher' ? ratios : ratios.map((ratio) => 1 / ratio)));
  }
  return { row, part, spreads, times, beyond };
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
