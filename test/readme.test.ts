// The README's first program runs as printed.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { temporaryFolder } from './test-bus.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The block of code after the comment that names it. */
function block(name: string): string {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const found = new RegExp(`<!-- first-program: ${name} -->\n\`\`\`\\w*\n([^]*?)\`\`\``).exec(readme);
  if (found?.[1] === undefined) throw new Error(`the README has no block ${name}`);
  return found[1];
}

describe('the README', () => {
  it('has a first program that prints what it says', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules', 'busbar'));
    for (const name of ['detect.mjs', 'app.mjs']) writeFileSync(join(folder, name), block(name));
    const env = { ...process.env, NODE_OPTIONS: '' };
    const output = execFileSync(process.execPath, ['app.mjs'], { cwd: folder, encoding: 'utf8', env, timeout: 20_000 });
    expect(output).toBe(block('output'));
  });
});
