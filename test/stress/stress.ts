// `npm run stress -- --seed S --minutes M`: rings under stress, each from a seed of its own that is printed.
import { parseArgs } from 'node:util';
import { freshSeed } from '../random.js';
import { runRing } from './ring-round.js';

const USAGE = `usage: npm run stress -- [options]
  --seed S      the first ring's seed, the next ones count up; default: any
  --minutes M   new rings are begun for so long; default: one ring
  --ms T        how long records are written into each; default 3000`;

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '0' },
    ms: { type: 'string', default: '3000' },
    help: { type: 'boolean', default: false },
  },
});
const [first, minutes, ms] = [options.seed ?? String(freshSeed()), options.minutes, options.ms].map(Number) as [
  number,
  number,
  number,
];
if (options.help || ![first, minutes, ms].every((value) => value >= 0)) {
  console.log(USAGE);
  process.exit(options.help ? 0 : 2);
}

const until = performance.now() + minutes * 60_000;
let seed = first;
do {
  const { wrongs, ...counts } = await runRing(seed, ms);
  console.log(`seed ${seed}: ${JSON.stringify(counts)}: ${wrongs.length === 0 ? 'well' : wrongs.join(', ')}`);
  if (wrongs.length > 0) process.exitCode = 1;
  seed++;
} while (performance.now() < until);
