// `npm run bench`: builds what is measured, unless only the help is wanted; nothing may be pulled away from under a run for that.
import { execSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const bench = fileURLToPath(new URL('../dist/bench/bench.js', import.meta.url));
const given = process.argv.slice(2);
if (!(given.includes('--help') && existsSync(bench))) execSync('npm run --silent build', { stdio: 'inherit' });
const { status } = spawnSync(process.execPath, ['--enable-source-maps', bench, ...given], { stdio: 'inherit' });
process.exitCode = status ?? 1;
