// The package as it is published: packed, unpacked into an empty folder beside what it depends on, used from ESM, CommonJS
// and TypeScript.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'busbar-package-'));
const env = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' };

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}
let packed: Packed;

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd: folder, encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** As npm does: of what the project has, only what the package itself depends on is there. `npm run install:packed` has npm do it. */
function unpack(tarball: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'busbar'), { recursive: true });
  run('tar', '-xzf', tarball, '-C', join(modules, 'busbar'), '--strip-components=1');
  const { dependencies } = JSON.parse(readFileSync(join(modules, 'busbar', 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
}

const PROGRAM = `
  const bus = new MessageBus({ errorLogDir: 'logs' });
  await bus.start();
  await bus.subscribe('a', handler, { subscriberId: 's' });
  for (let n = 0; n < 100; n++) bus.publish('a', n);
  console.log(await bus.request('a', 20));
  await bus.stop();
  const [{ routed, succeeded }] = bus.getHealthStatus().subscriptions;
  console.log(routed, succeeded);`;

describe('the package', () => {
  beforeAll(() => {
    // The tests run what was built; building again here would pull the files away from under the other suites.
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const output = execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
    [packed] = JSON.parse(output) as [Packed];
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    if (process.env['BUSBAR_NPM_INSTALL'] === undefined) unpack(packed.filename);
    else run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${packed.filename}`);
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('holds what runs, its types and its papers, and nothing else', () => {
    const paths = packed.files.map(({ path }) => path);
    const isWanted = (path: string): boolean =>
      /^dist\/src\/.*\.d\.ts$/.test(path) ||
      /^dist\/src\/(index|cli\/main|shared\/(handler|chunk-[A-Z0-9]+)|testing\/index|transport\/jetstream)\.js$/.test(
        path,
      ) ||
      /^dist\/workers\/(lane|logging)\.cjs$/.test(path) ||
      /^src\/schemas\/[a-z-]+\.schema\.json$/.test(path) ||
      ['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json'].includes(path);
    expect(paths.filter((path) => !isWanted(path))).toEqual([]);
    expect(paths).toEqual(
      expect.arrayContaining([
        'dist/src/index.js',
        'dist/workers/lane.cjs',
        'dist/workers/logging.cjs',
        'LICENSE',
        'README.md',
      ]),
    );
  });

  it('runs a publisher and a worker handler as ESM', () => {
    writeFileSync(
      join(folder, 'handler.mjs'),
      `import { defineHandler } from 'busbar/handler';\nexport default defineHandler(import.meta.url, (n) => n + 1);`,
    );
    writeFileSync(
      join(folder, 'app.mjs'),
      `import { MessageBus } from 'busbar';\nimport handler from './handler.mjs';\n${PROGRAM}`,
    );
    expect(run(process.execPath, 'app.mjs')).toBe('21\n101 101\n');
  });

  it('has entries that are one program, of which a handler loads the least', () => {
    const program = `
      import { createRequire } from 'node:module';
      import * as handler from 'busbar/handler';
      const { cache } = createRequire(import.meta.url);
      console.log(Object.keys(cache));
      const { BusbarError, defineHandler } = await import('busbar');
      const { SteppedClock } = await import('busbar/testing');
      console.log(Object.keys(cache).some((file) => file.includes('piscina')), defineHandler === handler.defineHandler);
      try { new SteppedClock({ startAt: NaN }); } catch ({ constructor }) { console.log(constructor === BusbarError); }`;
    writeFileSync(join(folder, 'entries.mjs'), program);
    expect(run(process.execPath, 'entries.mjs')).toBe('[]\ntrue true\ntrue\n');
  });

  it('runs a publisher and a worker handler as CommonJS', () => {
    writeFileSync(
      join(folder, 'handler.cjs'),
      `const { defineHandler } = require('busbar/handler');\nmodule.exports = defineHandler(__filename, (n) => n + 1);`,
    );
    writeFileSync(
      join(folder, 'app.cjs'),
      `const { MessageBus } = require('busbar');\nconst handler = require('./handler.cjs');\n(async () => {${PROGRAM}\n})();`,
    );
    expect(run(process.execPath, '--no-warnings', 'app.cjs')).toBe('21\n101 101\n');
  });

  it('says what to install where the packages of JetStream are missing', () => {
    const program = `
      import { MessageBus } from 'busbar';
      import { jetstream } from 'busbar/jetstream';
      const bus = new MessageBus({ errorLogDir: 'logs', transport: jetstream({ servers: '127.0.0.1:1', stream: 'S' }) });
      await bus.start().catch(({ code, message }) => console.log(code, message));
      await bus.stop();`;
    writeFileSync(join(folder, 'peers.mjs'), program);
    expect(run(process.execPath, 'peers.mjs')).toBe(
      'BUSBAR_PACKAGE busbar/jetstream needs two packages: npm install @nats-io/transport-node @nats-io/jetstream\n',
    );
  });

  it('says what is missing where a bundler has left the workers behind, and starts nothing', () => {
    const workers = join(folder, 'node_modules/busbar/dist/workers');
    const program = `
      import { MessageBus } from 'busbar';
      import { renameSync } from 'node:fs';
      for (const file of ['${workers}/lane.cjs', '${workers}/logging.cjs']) {
        renameSync(file, file + '.elsewhere');
        const bus = new MessageBus({ errorLogDir: 'logs' });
        await bus.start().catch(({ code, message }) => console.log(code, message));
        renameSync(file + '.elsewhere', file);
      }`;
    writeFileSync(join(folder, 'left.mjs'), program);
    const [lane, logging] = run(process.execPath, 'left.mjs').split('\n');
    expect(lane).toMatch(/^BUSBAR_PACKAGE .*lane\.cjs; a bundler must/);
    expect(logging).toMatch(/^BUSBAR_PACKAGE .*logging\.cjs; a bundler must/);
  });

  it('has types that compile strictly, without the DOM and without Node’s own', () => {
    writeFileSync(
      join(folder, 'app.ts'),
      `import { ErrorCategory, MessageBus, type HealthStatus } from 'busbar';
       import { defineHandler } from 'busbar/handler';
       import { createTestBus, SteppedClock, type FaultOptions } from 'busbar/testing';
       const faults: FaultOptions = { seed: 1, kill: 0.1, when: 'after' };
       export async function test(): Promise<readonly string[]> {
         await using bus = await createTestBus<{ a: number }>({ clock: new SteppedClock({ startAt: 0 }), faults });
         await bus.subscribe('a', handler, { subscriberId: 's' });
         bus.publish('a', 1);
         await bus.settled({ step: true });
         return [...bus.ledger.succeeded('s'), ...(await bus.deadLetters()).map(({ message }) => message.id)];
       }
       const handler = defineHandler<number, number>('file:///handler.js', (n, ctx) => (ctx.signal.aborted ? 0 : n + 1));
       export async function main(): Promise<HealthStatus> {
         await using bus = new MessageBus<{ a: number }>({ retry: { [ErrorCategory.TIMEOUT_ERROR]: { maxRetries: 1, backoffMs: 5 } } });
         await bus.start();
         await bus.subscribe('a', handler, { subscriberId: 's' });
         bus.publish('a', 1);
         const answer: number = await bus.request<number>('a', 1);
         return answer > 0 ? bus.getHealthStatus() : bus.getHealthStatus();
       }`,
    );
    const compilerOptions = {
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      target: 'es2022',
      lib: ['es2022'],
      module: 'nodenext',
      types: [],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }));
    expect(run(process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.')).toBe('');
  });
});
