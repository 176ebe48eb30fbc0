// What failures cost: npm run --silent build && node dist/bench/failing.js [seconds of storm]
import { checks } from './failing/checks.js';
import { comeback } from './failing/comeback.js';
import { bareErrors, failing } from './failing/storm.js';

const seconds = Number(process.argv[2] ?? 10);
const figures = [...checks(), ...(await comeback()), ...bareErrors(), ...(await failing(seconds))];
for (const { name, value, unit, atMost } of figures) {
  const goal = atMost === undefined ? '' : `  (at most ${atMost})`;
  process.stdout.write(`${name.padEnd(56)} ${value.toFixed(1).padStart(12)} ${unit}${goal}\n`);
}
