// A program of its own: measures one row, and tells the process that started it what came of it.
import { inspect } from 'node:util';
import type { Answer, Job } from './run/apart.js';
import { measureRow, titleOf } from './run/rounds.js';
import type { Row } from './run/row.js';

const { module, title, run, rounds }: Job = JSON.parse(process.argv[2] ?? '');
// Nobody waits for the figures any more: Ctrl-C, or the end of the other process.
process.on('disconnect', () => process.exit(1));

// What a contender may have left behind does not keep the process.
process.send?.(await answer(), () => process.exit(0));

async function answer(): Promise<Answer> {
  try {
    const { ROWS } = (await import(module)) as { readonly ROWS: readonly Row[] };
    const [row, ...others] = ROWS.filter((one) => titleOf(one) === title);
    if (row === undefined || others.length > 0) throw new Error(`not exactly one row is called ${title}`);
    return { figures: (await measureRow(row, run, rounds)).map(({ row: _, ...figures }) => figures) };
  } catch (error) {
    return { failure: inspect(error) };
  }
}
