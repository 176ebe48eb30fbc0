// The crash test in full: npm run crash -- --rounds 200 --seed 1
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { crashRounds } from './rounds.js';

const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } } });
const rounds = Number(values.rounds ?? 200);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'busbar-crash-'));
console.log(`${rounds} rounds, seed ${seed}, in ${folder}`);
const { faults, ...counts } = await crashRounds(rounds, seed, folder);
console.log(counts);
for (const fault of faults.slice(0, 20)) console.log(fault);
if (faults.length > 0) {
  console.log(`${faults.length} faults; the folder is kept`);
  process.exitCode = 1;
} else {
  rmSync(folder, { recursive: true });
  console.log('every letter that was accepted was there, once');
}
