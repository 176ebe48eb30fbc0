// A bus starts and stops, and leaves nothing behind.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { MessageBus } from '../src/index.js';
import { laneOfKey } from '../src/routing/partition.js';
import { workerExecArgv } from '../src/shared/exec-argv.js';
import { workerFile } from '../src/shared/worker-file.js';
import doubles from './fixtures/doubles.js';
import misbehaves from './fixtures/misbehaves.js';
import neverSetsUp from './fixtures/never-sets-up.js';
import publishes from './fixtures/publishes.js';
import { shareBus } from './shared-bus.js';
import { accountOf, assertAccounting, lettersOf, linesOf, makeBus, startBus, temporaryFolder } from './test-bus.js';

const run = promisify(execFile);

function programOf(body: string): string {
  return `
    import { MessageBus, ErrorLogger, DeadLetterQueue } from '${new URL('../src/index.js', import.meta.url).href}';
    import doubles from '${new URL('./fixtures/doubles.js', import.meta.url).href}';
    import misbehaves from '${new URL('./fixtures/misbehaves.js', import.meta.url).href}';
    const folder = ${JSON.stringify(temporaryFolder())};
    ${body}`;
}

/** Runs a program of its own process; fails when that does not end by itself within so long. */
async function runProgram(body: string, nodeOptions: readonly string[] = [], timeoutMs = 50_000): Promise<string> {
  const { stdout } = await run(process.execPath, [...nodeOptions, '--input-type=module', '-e', programOf(body)], {
    timeout: timeoutMs,
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return stdout;
}

describe('a bus runs whatever options its process was given', () => {
  const WHOLE_PROCESS = ['--expose-gc', '--max-old-space-size=300', '--stack-trace-limit=20'];
  const body = `
    const bus = new MessageBus({ errorLogDir: folder, threads: 1, spareThreads: 0 });
    await bus.start();
    await bus.subscribe('a', doubles, { subscriberId: 's' });
    console.log(await bus.request('a', 21), typeof gc);
    await bus.stop();`;

  it('in a program given as text', async () => {
    expect(await runProgram(body, WHOLE_PROCESS)).toBe('42 function\n');
  });

  it('in a program in a file', async () => {
    const file = join(temporaryFolder(), 'program.mjs');
    writeFileSync(file, programOf(body));
    const { stdout } = await run(process.execPath, [...WHOLE_PROCESS, file], {
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    expect(stdout).toBe('42 function\n');
  });

  it('and takes over to its threads what loads modules', () => {
    const options = ['--import', 'x', '--input-type=module', '--expose-gc', '-r', 'y', '--conditions=z', '-e', 'text'];
    expect(workerExecArgv(options)).toEqual({ execArgv: ['--import', 'x', '-r', 'y', '--conditions=z'] });
    expect(workerExecArgv(['--import', 'x', '--expose-gc'])).toEqual({});
  });
});

describe('a thread that is ended while it loads', () => {
  const ROUNDS = Number(process.env['BUSBAR_LOAD_ROUNDS'] ?? 4);

  it('does not take the process down', async () => {
    // The file that the pool gives to Piscina, loaded as Piscina loads it: an ES module there was fatal in 1 of 100 rounds.
    const entry = workerFile('lane.cjs');
    expect(readFileSync(new URL('../src/threads/pool.js', import.meta.url), 'utf8')).toContain(
      "workerFile('lane.cjs')",
    );
    const output = await runProgram(`
      import { Worker } from 'node:worker_threads';
      import { fileURLToPath } from 'node:url';
      const entry = JSON.stringify(fileURLToPath('${entry.href}'));
      const program = 'require(' + entry + ').default({ kind: "none" }).catch(() => {}); setInterval(() => {}, 1000)';
      await Promise.all([0, 1].map(async () => {
        for (let round = 0; round < ${ROUNDS}; round++) {
          const worker = new Worker(program, { eval: true, execArgv: [] });
          await new Promise((online) => worker.once('online', online));
          await new Promise((later) => setTimeout(later, Math.random() * 30));
          await worker.terminate();
        }
      }));
      console.log('still here');`);
    expect(output).toBe('still here\n');
  });
});

describe('the process ends by itself', () => {
  /** Each has a bus that nobody has started. Those that are stopped log into one folder, whose thread ends with the last one. */
  const ENDS: Readonly<Record<string, string>> = {
    'after stop': 'await begin(bus); await bus.stop();',
    'after stop without a drain': 'await begin(bus, "loop"); await bus.stop({ drain: false });',
    'after stop while a handler loops': 'await begin(bus, "loop"); await bus.stop({ timeoutMs: 200 });',
    'after stop while a handler never settles': 'await begin(bus, "never settle"); await bus.stop({ timeoutMs: 200 });',
    'after stop while a retry waits': 'await begin(bus, "throw"); await bus.stop({ timeoutMs: 200 });',
    'after stop while a slow replay waits': `
      await begin(bus);
      const message = { topic: 'a', payload: { n: 2, ledger: folder + '/l' } };
      const report = { error_id: 'e', timestamp: 0, category: 'timeout_error', severity: 'high', component: 'c', message: 'm', exception_type: 'E' };
      for (const _ of [1, 2]) await bus.deadLetterQueue.addMessage(message, { ...report, context: { subscriber_id: 's' } });
      const replay = bus.deadLetterQueue.replay({ all: true }, { ratePerSec: 0.001 });
      await bus.stop();
      if ((await replay).skipped.length === 0) throw new Error('nothing was left');`,
    'when it is left by asyncDispose': 'await begin(bus); await bus[Symbol.asyncDispose]();',
    'when a bus was made, but never started': '',
    'after a start that failed': `
      const nowhere = new MessageBus({ errorLogDir: '/proc/nowhere' });
      await fails(nowhere.start(), 'BUSBAR_LOG_FOLDER');`,
    'after starts that failed further on': `
      const { jetstream } = await import('${new URL('../src/transport/jetstream.js', import.meta.url).href}');
      const away = new MessageBus({ errorLogDir: folder, transport: jetstream({ servers: ['127.0.0.1:1'], stream: 'S' }) });
      for (const _ of [1, 2]) await fails(away.start(), 'BUSBAR_TRANSPORT_CONNECTION');`,
    'after a module that cannot be loaded, and stop': `
      await bus.start();
      await fails(bus.subscribe('a', 'file:///nowhere.mjs', { subscriberId: 's' }), 'BUSBAR_HANDLER_LOAD');
      await bus.stop();`,
  };

  /** One process for all: whatever is left open by one of them keeps it from ending. Then run them one by one. */
  it('after every way to end a bus', async () => {
    const output = await runProgram(
      `
      const fails = async (promise, code) => {
        const failure = await promise.then(() => ({ code: 'none' }), (error) => error);
        if (failure.code !== code) throw new Error(code + ' was expected', { cause: failure });
      };
      const begin = async (bus, deed) => {
        await bus.start();
        await bus.subscribe('a', misbehaves, { subscriberId: 's' });
        bus.publish('a', { n: 0, ledger: folder + '/l' });
        if (deed !== undefined) bus.publish('a', { n: 1, ledger: folder + '/l', deed });
      };
      const end = async (name, run, own) => {
        const place = /^after stop(?!.*replay)/.test(name) ? 'stopped' : own;
        await run(new MessageBus({ errorLogDir: folder + '/' + place, threads: 1, spareThreads: 0 }));
        console.log(name);
      };
      await Promise.all([${Object.entries(ENDS).map(([name, run], own) => `end(${JSON.stringify(name)}, async (bus) => { ${run} }, ${own})`)}]);`,
    );
    expect(output.split('\n').filter(Boolean).sort()).toEqual(Object.keys(ENDS).sort());
  });
});

describe('a bus', () => {
  const shared = shareBus();

  it('may be started and stopped twice', async () => {
    const bus = makeBus({ errorLogDir: temporaryFolder() });
    await Promise.all([bus.start(), bus.start()]);
    await bus.start();
    expect(bus.getHealthStatus().running).toBe(true);
    await Promise.all([bus.stop(), bus.stop()]);
    await bus.stop();
    expect(bus.getHealthStatus()).toMatchObject({ running: false, status: 'healthy', reasons: [] });
  });

  it('that is stopped while a handler is loaded says that it is not running', async () => {
    const bus = await shared.beside();
    const subscribed = bus.subscribe('a', neverSetsUp, { subscriberId: 's' });
    const second = bus.subscribe('b', neverSetsUp, { subscriberId: 's' });
    const failures = Promise.allSettled([subscribed, second]);
    await bus.stop();
    for (const failure of await failures) expect(failure).toMatchObject({ reason: { code: 'BUSBAR_NOT_RUNNING' } });
  });

  it('may be stopped without a start, and its health says that it was not started', async () => {
    const bus = new MessageBus({ errorLogDir: temporaryFolder() });
    expect(bus.getHealthStatus()).toMatchObject({ status: 'degraded', reasons: ['the bus was not started'] });
    await bus.stop();
    expect(bus.getHealthStatus()).toMatchObject({ status: 'healthy', running: false, reasons: [] });
  });

  it('loads a TypeScript handler where Node does, and says what to install where it does not', async () => {
    const file = join(temporaryFolder(), 'handler.ts');
    writeFileSync(file, 'export default (n: number): number => n + 1;');
    const bus = await shared.beside();
    const subscribed = bus.subscribe('a', pathToFileURL(file), { subscriberId: 's' }).then(
      () => bus.request('a', 1),
      ({ code, message }) => `${code} ${message}`,
    );
    if ((process.features as { typescript?: unknown }).typescript) expect(await subscribed).toBe(2);
    else expect(await subscribed).toMatch(/^BUSBAR_HANDLER_LOAD .* loads no TypeScript by itself: npm install tsx/);
  });

  it('keeps what it could not handle before it stopped', async () => {
    const folder = temporaryFolder();
    const bus = await startBus({ errorLogDir: folder });
    const subscription = await bus.subscribe('a', doubles, { subscriberId: 's' });
    subscription.pause();
    for (let n = 0; n < 10; n++) bus.publish('a', n);
    await bus.stop({ drain: false });
    expect(accountOf(bus, 's')).toEqual({ routed: 10, succeeded: 0, deadLettered: 10, dropped: 0, pending: 0 });

    const next = await startBus({ errorLogDir: folder });
    const letters = await lettersOf(next);
    expect(letters.map(({ reason, error_category, message }) => [reason, error_category, message.payload])).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => ['shutdown', 'connection_error', n]),
    );
    expect(letters[0]?.error.message).toMatch(/ended before a handler began with the message$/);
    await next.subscribe('a', doubles, { subscriberId: 's' });
    expect((await next.deadLetterQueue?.replay({ all: true }))?.replayed).toHaveLength(10);
    expect(await lettersOf(next)).toEqual([]);
  });

  it('accounts for what handlers publish, and for retries that wait, while it is stopped', async () => {
    const bus = await shared.beside({ retry: { message_processing_error: { maxRetries: 5, backoffMs: 50 } } });
    const ledger = join(temporaryFolder(), 'ledger');
    await bus.subscribe('in', publishes, { subscriberId: 'source' });
    await bus.subscribe('out.*', misbehaves, { subscriberId: 'sink' });
    await bus.subscribe('a', misbehaves, { subscriberId: 'failing' });
    for (let n = 0; n < 200; n++) {
      bus.publish('in', { fail: false, n });
      bus.publish('a', { n, ledger, deed: 'throw' });
    }
    await bus.stop({ timeoutMs: 20 });
    for (const name of ['source', 'sink', 'failing']) {
      const { routed, succeeded, deadLettered, dropped, pending } = accountOf(bus, name);
      expect([name, pending, succeeded + deadLettered + dropped]).toEqual([name, 0, routed]);
    }
  });

  it('loses no retry that falls due while a subscription ends, and leaves none uncounted', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const retry = { message_processing_error: { maxRetries: 1, backoffMs: 500, jitter: false } };
    const options = { lanes: 2, breaker: false as const, retry, graceMs: 10 };
    const subscription = await bus.subscribe('deeds', misbehaves, { subscriberId: 's', ...options });
    const [one, other] = [0, 1].map((lane) => ['a', 'b', 'c', 'd', 'e'].find((key) => laneOfKey(key, 2) === lane));
    bus.publish('deeds', { n: 0, ledger, deed: 'throw' }, { key: one as string });
    while (bus.getHealthStatus().subscriptions[0]?.retrying === 0) await new Promise((resume) => setImmediate(resume));
    bus.publish('deeds', { n: 1, ledger, deed: 'be in a native call once' }, { key: other as string });
    while (!linesOf(ledger).includes('start 1 1')) await new Promise((resume) => setTimeout(resume, 5));
    let isOver = false;
    const ended = subscription.unsubscribe({ drain: false }).then(() => {
      isOver = true;
    });
    for (; !isOver; await new Promise((resume) => setTimeout(resume, 20))) assertAccounting(bus.getHealthStatus());
    await ended;
    const cutOff = {
      reason: 'shutdown',
      error: { message: expect.stringMatching(/before the delivery was settled$/) },
    };
    expect(await lettersOf(bus)).toMatchObject([cutOff, cutOff]);
  });

  it('lets go of a subscription once it has handled what it had', async () => {
    const { bus } = shared;
    const subscription = await bus.subscribe('a', doubles, { subscriberId: 's' });
    for (let n = 0; n < 10; n++) bus.publish('a', n);
    expect(await subscription.unsubscribe()).toBe(true);
    expect(await subscription.unsubscribe()).toBe(false);
    expect(shared.replaced()).toBe(0);
    expect(bus.getHealthStatus().subscriptions).toEqual([]);
    expect(bus.publish('a', 1)).toBe(true);
    expect(bus.getHealthStatus().unrouted).toBe(1);
    await bus.subscribe('a', doubles, { subscriberId: 's' });
    expect(await bus.request('a', 4)).toBe(8);
  });

  it('handles what a paused subscription still has before that goes, unless told not to wait', async () => {
    const { bus } = shared;
    const paused = await bus.subscribe('a', doubles, { subscriberId: 's' });
    paused.pause();
    bus.publish('a', 1);
    expect(await paused.unsubscribe()).toBe(true);
    expect(await lettersOf(bus)).toEqual([]);
    const held = await bus.subscribe('a', doubles, { subscriberId: 'held' });
    bus.breaker('a#held').forceOpen();
    bus.publish('a', 2);
    const going = held.unsubscribe();
    expect(await held.unsubscribe({ drain: false })).toBe(false);
    expect(await going).toBe(true);
    expect(await lettersOf(bus)).toMatchObject([{ reason: 'shutdown' }]);
  });

  it('handles what waits before it stops, and tells totals and recent errors in its metrics file', async () => {
    const folder = temporaryFolder();
    const bus = await startBus({ errorLogDir: folder });
    const ledger = join(temporaryFolder(), 'ledger');
    await bus.subscribe('a', misbehaves, { subscriberId: 's' });
    for (let n = 0; n < 100; n++) bus.publish('a', { n, ledger });
    bus.publish('a', { n: 100, ledger, deed: 'give up' });
    await bus.stop();
    expect(linesOf(ledger).filter((line) => line.startsWith('done'))).toHaveLength(100);
    const metrics = JSON.parse(readFileSync(join(folder, 'error_metrics.json'), 'utf8'));
    expect(metrics).toMatchObject({ total_errors: 1, error_counts_by_category: { message_processing_error: 1 } });
    const [line] = linesOf(join(folder, 'message_bus_errors.json'));
    expect(JSON.parse(line ?? '')).toMatchObject({
      level: 'warn',
      category: 'message_processing_error',
      context: { subscriber_id: 's', topic: 'a' },
    });
  });
});
