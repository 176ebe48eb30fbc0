// A process of throughput.ts: one contender, which nothing has run before. Prints what it measured as JSON.
import { contenders } from './contenders.js';
import { type Lap, Laps, type Run } from './laps.js';

/** What one contender came to. */
export interface Measured {
  /** Publications in a second. */
  readonly publish: number;
  readonly cold: Lap;
  readonly warm: Lap;
}

const [name = '', text = ''] = process.argv.slice(2);
const contender = contenders[name];
if (contender === undefined) throw new Error(`no contender has the name ${JSON.stringify(name)}`);
const run = JSON.parse(text) as Run;
const laps = new Laps(run);
const publish = await contender(run, laps);
const measured: Measured = { publish, cold: laps.cold, warm: laps.warm };
process.stdout.write(JSON.stringify(measured));
