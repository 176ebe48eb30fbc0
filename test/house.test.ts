// The rules of the house hold, and the checks that say so can fail.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { transferHandlers } from 'comlink';
import * as frontDoor from '../src/index.js';
import * as testing from '../src/testing/index.js';
import { temporaryFolder } from './test-bus.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCES = ['src', 'workers'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path: `${folder}/${path}`, text: readFileSync(join(ROOT, folder, path), 'utf8') })),
);

/**
 * What a check, with the settings of the project, says about a project of these files. On the project itself `npm run lint` and
 * `npm run deadcode` run it.
 */
function check(tool: string, args: readonly string[], planted: Readonly<Record<string, string>>): string {
  const project = temporaryFolder();
  for (const name of ['biome.json', 'knip.json', 'package.json', 'tsconfig.json', 'node_modules'])
    symlinkSync(join(ROOT, name), join(project, name));
  for (const [path, text] of Object.entries(planted)) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }
  try {
    execFileSync(join(ROOT, 'node_modules/.bin', tool), args, { cwd: project, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return stdout + stderr;
  }
  throw new Error(`${tool} finds nothing wrong, not even what was planted`);
}

describe('the linter', () => {
  it('finds each of the planted faults, in its place, and nothing else', () => {
    const planted = [
      ['src/failure/x.ts', `export { Pool } from '../threads/pool.js';`, 'a part sees only itself and shared'],
      ['workers/x.ts', `export { MessageBus } from '../src/bus.js';`, 'workers see only src/shared'],
      ['src/shared/x.ts', `export { readFileSync } from 'node:fs';`, 'shared does not touch the disk'],
      ['src/testing/x.ts', `export { MessageBus } from '../bus.js';`, 'clients use the front door'],
      ['src/threads/x.ts', `export { Piscina } from 'piscina';`, 'only src/threads/pool.ts knows Piscina'],
      ['src/transport/x.ts', `export { connect } from '@nats-io/transport-node';`, 'only src/transport/connection.ts'],
      ['workers/z.ts', `export { jetstream } from '@nats-io/jetstream';`, 'only src/transport/connection.ts'],
      ['src/x.ts', `export { Drain } from '../workers/lane/drain.js';`, 'workers are started by URL'],
      [
        'src/y.ts',
        'async function f(): Promise<void> {}\nexport function g(): void {\n  f();\n}',
        'noFloatingPromises',
      ],
      ['src/shared/y.ts', `import { z } from './z.js';\n\nexport const y = (): number => z();`, 'noImportCycles'],
      ['src/shared/z.ts', `import { y } from './y.js';\n\nexport const z = (): number => y();`, 'noImportCycles'],
    ] as const;
    const args = ['lint', '--error-on-warnings', '--max-diagnostics=none', 'src', 'workers'];
    const found = check('biome', args, Object.fromEntries(planted.map(([path, text]) => [path, `${text}\n`])));
    // One finding begins with its place and its rule, and goes on to the next one's.
    const findings = found.split(/^(?=\S+:\d+:\d+ )/m).filter((text) => /^\S+:\d+:\d+ /.test(text));
    for (const [path, , complaint] of planted) {
      expect(findings.filter((text) => text.startsWith(path) && text.includes(complaint))).not.toEqual([]);
    }
    const elsewhere = findings.filter((text) => !planted.some(([path]) => text.startsWith(`${path}:`)));
    expect(elsewhere).toEqual([]);
  });
});

describe('the search for dead code', () => {
  it('finds an unused export and an unused file that were planted, and nothing else', () => {
    const found = check('knip', ['--reporter', 'json', '--include', 'files,exports'], {
      'workers/logging.ts': `import { wanted } from '../src/shared/half-wanted.js';\n\nwanted();\n`,
      'src/shared/half-wanted.ts': 'export const wanted = (): void => {};\nexport const nobodyWantsThis = 1;\n',
      'src/shared/nobody-imports-this.ts': 'export const x = 1;\n',
    });
    const { issues } = JSON.parse(found) as { issues: ({ file: string } & Record<string, { name: string }[]>)[] };
    const findings = issues.flatMap(({ file, ...kinds }) =>
      Object.entries(kinds).flatMap(([kind, names]) => names.map(({ name }) => `${file}: ${kind} ${name}`)),
    );
    expect(findings).toEqual([
      'src/shared/nobody-imports-this.ts: files src/shared/nobody-imports-this.ts',
      'src/shared/half-wanted.ts: exports nobodyWantsThis',
    ]);
  });
});

describe('the sources', () => {
  it.each(SOURCES)('$path begins with one line that says what it is', ({ text }) => {
    expect(text.replace(/^#!.*\n/, '').split('\n')[0]).toMatch(/^\/\/ [A-Z].*[.:!]/);
  });

  it('have no file of more than 300 lines', () => {
    expect(SOURCES.filter(({ text }) => text.split('\n').length > 301).map(({ path }) => path)).toEqual([]);
  });

  it('read time and start timers in one place only', () => {
    const time = /\bDate\.now\b|\bperformance\.now\b|\bset(?:Timeout|Interval)\b|new Date\(\)/;
    const offenders = SOURCES.filter(
      ({ path, text }) => path !== 'src/shared/clock.ts' && time.test(withoutComments(text)),
    );
    expect(offenders.map(({ path }) => path)).toEqual([]);
  });
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}

describe('the package', () => {
  it('depends on what was chosen, and on nothing else', () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(Object.keys(dependencies)).toEqual(['comlink', 'nanoid', 'pino', 'piscina', 'proper-lockfile']);
  });

  it('exports what is meant to be public', () => {
    expect(Object.keys(frontDoor).sort()).toEqual([
      'BreakerOpenError',
      'BusbarError',
      'CircuitBreaker',
      'DeadLetterQueue',
      'EncodedPayload',
      'ErrorCategory',
      'ErrorLogger',
      'ErrorRecoveryManager',
      'ErrorSeverity',
      'HandlerVerdict',
      'MessageBus',
      'classifyError',
      'deadLetter',
      'defineHandler',
      'discard',
      'retryLater',
    ]);
  });

  it('leaves Comlink’s transfer handlers alone, which are the whole program’s', () => {
    expect([...transferHandlers.keys()]).toEqual(['proxy', 'throw']);
  });

  it('exports what tests need from busbar/testing', () => {
    expect(Object.keys(testing).sort()).toEqual(['SteppedClock', 'createTestBus']);
  });

  it('has the agreed entries at its top, and no others', () => {
    const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean);
    const top = new Set(tracked.map((path) => path.split('/')[0] as string));
    const agreed =
      'package.json tsconfig.json src workers bench test README.md package-lock.json LICENSE CHANGELOG.md biome.json knip.json';
    expect([...top].filter((name) => !name.startsWith('.') && !agreed.split(' ').includes(name))).toEqual([]);
  });
});
