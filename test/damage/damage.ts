// The damage test in full: npm run damage -- --cases 10000 --seed 1
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { damageCases } from './cases.js';

const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' } } });
const cases = Number(values.cases ?? 10_000);
const seed = Number(values.seed ?? 1);
const folder = mkdtempSync(join(tmpdir(), 'busbar-damage-'));
console.log(`${cases} cases from seed ${seed}, in ${folder}`);
const { faults, ...counts } = await damageCases(cases, seed, folder);
console.log(counts);
for (const fault of faults.slice(0, 20)) console.log(fault);
rmSync(folder, { recursive: true });
console.log(faults.length === 0 ? 'every start succeeded, and kept all that was intact' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
