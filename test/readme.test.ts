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
  const found = new RegExp(`<!-- ${name} -->\n\`\`\`\\w*\n([^]*?)\`\`\``).exec(readme);
  if (found?.[1] === undefined) throw new Error(`the README has no block ${name}`);
  return found[1];
}

/** What these programs of the README print. The last one is run. */
function outputOf(...names: readonly string[]): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules', 'busbar'));
  const files = names.map((name) => name.replace(/^.*: /, ''));
  for (const [index, file] of files.entries()) writeFileSync(join(folder, file), block(names[index] as string));
  const env = { ...process.env, NODE_OPTIONS: '' };
  const last = files.at(-1) as string;
  return execFileSync(process.execPath, [last], { cwd: folder, encoding: 'utf8', env, timeout: 20_000 });
}

describe('the README', () => {
  it('has a first program that prints what it says', () => {
    expect(outputOf('first-program: detect.mjs', 'first-program: app.mjs')).toBe(block('first-program: output'));
  });

  it('uses the parts without a bus as it says', () => {
    expect(outputOf('alone: alone.mjs')).toBe(block('alone: output'));
  });

  it('tests it as it says', () => {
    expect(outputOf('first-program: detect.mjs', 'testing: detect.test.mjs')).toBe(block('testing: output'));
  });
});
