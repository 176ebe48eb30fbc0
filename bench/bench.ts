// `npm run bench`: measures busbar beside its peers, in one run on one machine.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { jsonOf } from './output/json.js';
import { pageOf } from './output/page.js';
import { budgetText, textOf } from './output/table.js';
import { measureApart, type Outcome } from './run/apart.js';
import { type Budget, budgetsOf } from './run/budget.js';
import { thisMachine } from './run/machine.js';
import { type Measured, titleOf } from './run/rounds.js';
import type { Files, Row } from './run/row.js';

const USAGE = `usage: npm run bench -- [options]
  --quick        fewer and shorter rounds: under two minutes, also on a Raspberry Pi
  --only TEXT    only rows whose name, payload or number in flight contains TEXT; may be given again: all must match
  --json FILE    write the medians as JSON
  --html FILE    write a page with plots`;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    html: { type: 'string' },
    help: { type: 'boolean', default: false },
    // For the tests: a module with other rows, as a URL.
    rows: { type: 'string', default: new URL('./rows.js', import.meta.url).href },
  },
});
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}

const { FILES } = (await import(options.rows)) as { readonly FILES: Files };
const isWanted = (row: Row): boolean =>
  !(options.quick && row.isDetail) && options.only.every((text) => titleOf(row).includes(text));
const wanted = FILES.map((rows) => rows.filter(isWanted));
const rows = wanted.flat();
if (rows.length === 0) {
  console.error(`no row matches ${options.only.join(' and ')}\n${USAGE}`);
  process.exit(2);
}
const rounds = options.quick ? 3 : 9;
const sliceMs = options.quick ? 50 : 120;
const run = { sliceMs, warmUpMs: sliceMs * (options.quick ? 5 : 8), isQuick: options.quick };

const machine = thisMachine();
console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, Node ${machine.node}, ${machine.system}`);
console.log(
  `${rows.length} rows; median of ${rounds} rounds, and the least to the most; "times as good": median of the rounds' ratios\n`,
);

const measured: Measured[] = [];
const budgets: Budget[] = [];
const tell = (row: Row, outcome: Outcome): void => {
  if ('failure' in outcome) {
    // The row has no figures then, and the run has failed; the others are measured all the same.
    process.exitCode = 1;
    console.error(`FAILED: ${titleOf(row)}\n`, outcome.failure, '\n');
    return;
  }
  for (const result of outcome) {
    measured.push(result);
    budgets.push(...budgetsOf(result));
    console.log(`${textOf(result)}\n`);
  }
};
// To start Node for each row would take a Raspberry Pi half of a quick run's time: there the rows of a file share a process.
for (const together of options.quick ? wanted : rows.map((row) => [row])) {
  await measureApart(together, { module: options.rows, run, rounds }, tell);
}
if (budgets.length > 0)
  console.log(`budgets${options.quick ? ' (of a quick run: a hint, no verdict)' : ''}\n${budgetText(budgets)}`);
const results = { machine, rounds, measured, budgets };
if (options.json !== undefined) writeFileSync(options.json, jsonOf(results));
if (options.html !== undefined) writeFileSync(options.html, pageOf(results));
