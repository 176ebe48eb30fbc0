// A program of its own: measures some rows, and tells the process that started it what came of each.
import { inspect } from 'node:util';
import type { Answer, Told } from './run/apart.js';
import { measureRow, titleOf } from './run/rounds.js';
import type { Files } from './run/row.js';

const { module, titles, run, rounds }: Told = JSON.parse(process.argv[2] ?? '');
// Nobody waits for the figures any more: Ctrl-C, or the end of the other process.
process.on('disconnect', () => process.exit(1));

for (const title of titles) {
  const answer = await answerOf(title);
  await new Promise((resume) => process.send?.(answer, resume));
}
// What a contender may have left behind does not keep the process.
process.exit(0);

async function answerOf(title: string): Promise<Answer> {
  try {
    const { FILES } = (await import(module)) as { readonly FILES: Files };
    const [row, ...others] = FILES.flat().filter((one) => titleOf(one) === title);
    if (row === undefined || others.length > 0) throw new Error(`not exactly one row is called ${title}`);
    return { figures: (await measureRow(row, run, rounds)).map(({ row: _, ...figures }) => figures) };
  } catch (error) {
    return { failure: inspect(error) };
  }
}
