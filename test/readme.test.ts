// The README: its programs run as printed, its commands are there, its table of codes is whole.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { busbar } from './command-line.js';
import { temporaryFolder } from './test-bus.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The block of code after the comment that names it. */
function block(name: string): string {
  const found = new RegExp(`<!-- ${name} -->\n\`\`\`\\w*\n([^]*?)\`\`\``).exec(README);
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

  it('names no command and no option that the command line does not have', async () => {
    const commands = [...README.matchAll(/\bbusbar ((?:health|watch|dlq|errors|breaker) ?[^`\n#]*)/g)].map(([, text]) =>
      (text as string)
        .replace(/<[^>]*>|…/g, 'x')
        .trim()
        .split(/ +/),
    );
    expect(commands.length).toBeGreaterThan(15);
    for (const words of commands) {
      const { exit, err } = await busbar(...words, '--help');
      expect({ words, exit, err }).toEqual({ words, exit: 0, err: '' });
    }
  });

  it('tells the meaning and the cure of each error code', () => {
    const codes = readFileSync(join(ROOT, 'src/shared/errors.ts'), 'utf8').match(/'BUSBAR_\w+'/g) ?? [];
    expect(codes.length).toBeGreaterThan(30);
    const rows = README.split('\n').filter((line) => line.startsWith('| `BUSBAR_'));
    for (const code of codes) expect(rows.filter((row) => row.includes(`\`${code.slice(1, -1)}\``))).toHaveLength(1);
  });

  it('shows a dead letter with all that it has', () => {
    const letter = new Function(`return ${block('letter')}`)() as { message: object };
    const { properties } = JSON.parse(readFileSync(join(ROOT, 'src/schemas/dead-letter.schema.json'), 'utf8'));
    const onDiskOnly = ['crc', 'format', 'payload_codec', 'payload_base64'];
    expect([...Object.keys(letter), ...onDiskOnly].sort()).toEqual(Object.keys(properties).sort());
    expect(Object.keys(letter.message).sort()).toEqual(Object.keys(properties.message.properties).sort());
  });

  it('names each option', () => {
    const missing = ['src/options.ts', 'src/transport/jetstream-options.ts'].flatMap((file) =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^ {2}readonly (\w+)\??: /gm)]
        .map(([, name]) => name as string)
        .filter((name) => !new RegExp(`[\`{ ]${name}\\b`).test(README)),
    );
    expect(missing).toEqual([]);
  });

  it('tests it as it says', () => {
    expect(outputOf('first-program: detect.mjs', 'testing: detect.test.mjs')).toBe(block('testing: output'));
  });
});
