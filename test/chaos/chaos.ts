// `npm run chaos -- --seed S --minutes M`: rounds of chaos, each from a seed of its own that is printed.
import { parseArgs } from 'node:util';
import { freshSeed } from '../random.js';
import { type RoundResult, runRound } from './round.js';

const USAGE = `usage: npm run chaos -- [options]
  --seed S         the first round's seed, the next ones count up; default: any
  --minutes M      new rounds are begun for so long; default: one round
  --deliveries N   in each round; default 100000
  --light N        about so many of them throw, reject, or the like; default 1000
  --heavy N        about so many of them end a thread or run past a deadline; default 40`;

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '0' },
    deliveries: { type: 'string', default: '100000' },
    light: { type: 'string', default: '1000' },
    heavy: { type: 'string', default: '40' },
    help: { type: 'boolean', default: false },
  },
});
const [first, minutes, deliveries, light, heavy] = [
  options.seed ?? String(freshSeed()),
  options.minutes,
  options.deliveries,
  options.light,
  options.heavy,
].map(Number) as [number, number, number, number, number];
if (options.help || ![first, minutes, deliveries, light, heavy].every((value) => value >= 0)) {
  console.log(USAGE);
  process.exit(options.help ? 0 : 2);
}

const MOST_WRONGS_SHOWN = 10;
/** After the last bus has stopped nothing may keep the process alive. */
const MUST_END_MS = 5000;

const until = performance.now() + minutes * 60_000;
let seed = first;
do {
  show(seed, await runRound(seed, { deliveries, light, heavy }));
  seed++;
} while (performance.now() < until);
setTimeout(() => {
  console.error(`the process does not end by itself: ${process.getActiveResourcesInfo()}`);
  process.exit(1);
}, MUST_END_MS).unref();

function show(round: number, { wrongs, seconds, ...counts }: RoundResult): void {
  console.log(`seed ${round}: ${JSON.stringify(counts)} in ${seconds.toFixed(1)} s: ${wrongs.length} wrong`);
  for (const wrong of wrongs.slice(0, MOST_WRONGS_SHOWN)) console.log(`  ${wrong}`);
  if (wrongs.length > 0) process.exitCode = 1;
}
