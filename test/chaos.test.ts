// Everything goes wrong at random: the law holds, the guilty are given up, no innocent is lost or charged, the process ends.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { freshSeed } from './random.js';

const CHAOS = fileURLToPath(new URL('./chaos/chaos.js', import.meta.url));

describe('in chaos', () => {
  const seed = process.env['BUSBAR_SEED'] ?? String(freshSeed());

  it(`nobody pays for another, in 4000 deliveries (BUSBAR_SEED=${seed})`, async () => {
    const args = [CHAOS, '--seed', seed, '--deliveries', '4000', '--light', '50', '--heavy', '3'];
    // It has another code when anything was wrong, and is ended when it does not end by itself; what it printed says what.
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 }).catch(
      (failed: { stdout: string; stderr: string }) => ({ stdout: `${failed.stdout}${failed.stderr}` }),
    );
    expect(stdout).toMatch(new RegExp(`^seed ${seed}: {"deliveries":4000,.* 0 wrong\n$`));
  }, 70_000);
});
