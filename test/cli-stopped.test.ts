// The command line on the folder of a bus that has stopped, on folders that are none, and with a module that builds the bus.

import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { asCliError } from '../src/cli/exit.js';
import { parseWhen } from '../src/cli/when.js';
import { DeadLetterQueue, ErrorLogger } from '../src/index.js';
import { busbar, busbarProcess, MAIN } from './command-line.js';
import { reportOf } from './reports.js';
import { fixture, startBus, temporaryFolder } from './test-bus.js';

const BUILDS_A_BUS = fileURLToPath(fixture('builds-a-bus'));

/** A folder with so many letters of subscriber `worker` on `job`. */
async function folderWithLetters(count: number): Promise<string> {
  const folder = temporaryFolder();
  const bus = await startBus({
    errorLogDir: folder,
    retry: { message_processing_error: { maxRetries: 0, backoffMs: 1 } },
  });
  const fail = (): never => {
    throw new Error('not yet');
  };
  await bus.subscribe('job', fail, { subscriberId: 'worker', breaker: false });
  for (let n = 0; n < count; n++) bus.publish('job', { n });
  await bus.idle();
  await bus.stop();
  return folder;
}

describe('the command line on a stopped bus', () => {
  it.each(['7', '2026', 'May', '1 day', '2026-13-01', 'yesterday', '-3h', ''])(
    'refuses to purge since %j, which is no time',
    async (since) => {
      const dir = temporaryFolder();
      mkdirSync(join(dir, 'dead_letter'));
      const { exit, err } = await busbar('dlq', 'purge', `--since=${since}`, '--yes', '--dir', dir);
      expect({ exit, err }).toEqual({
        exit: 2,
        err: expect.stringContaining('--since must be a time ago with its unit'),
      });
    },
  );

  it('tells its version, and that a file is missing', async () => {
    for (const asked of ['--version', '-v']) expect((await busbar(asked)).out).toMatch(/^\d+\.\d+\.\d+\n$/);
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'dead_letter'));
    const { exit, err } = await busbar('dlq', 'edit', 'some-id', '--file', '/nope', '--dir', dir);
    expect({ exit, err }).toEqual({ exit: 2, err: expect.stringContaining('--file cannot be read: ENOENT') });
  });

  it('ends with a sentence when the folder goes that it follows', async () => {
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'dead_letter'));
    const tail = busbar('errors', 'tail', '--dir', dir);
    setTimeout(() => rmSync(dir, { recursive: true }), 50);
    const { exit, err } = await tail;
    expect({ exit, err }).toEqual({
      exit: 5,
      err: expect.stringMatching(/^busbar: the log in .* cannot be followed any more: ENOENT/),
    });
  });

  it('lists errors by their times, also where one was written after a newer one', async () => {
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'dead_letter'));
    const line = (n: number): string =>
      JSON.stringify({
        ...{ error_id: `e${n}`, timestamp: 1_900_000_000 + n, category: 'timeout_error', severity: 'high' },
        ...{ component: 'c', message: `error ${n}`, exception_type: 'Error', context: {} },
      });
    writeFileSync(join(dir, 'message_bus_errors.json'), `${[1, 2, 5, 3, 4].map(line).join('\n')}\n`);
    const listed = async (...limit: string[]): Promise<string[]> =>
      JSON.parse((await busbar('errors', 'list', '--json', ...limit, '--dir', dir)).out).map(
        ({ message }: { message: string }) => message,
      );
    expect(await listed()).toEqual(['error 5', 'error 4', 'error 3', 'error 2', 'error 1']);
    expect(await listed('--limit', '1')).toEqual(['error 5']);
    const tail = await busbar('errors', 'tail', '--no-follow', '--limit', '2', '--dir', dir);
    expect(tail.out).toMatch(/error 4\n.*error 5\n$/);
  });

  it('knows times ago, and ISO dates in this or another zone', () => {
    expect(parseWhen('since', '2026-01-31T22:00Z')).toBe(Date.UTC(2026, 0, 31, 22) / 1000);
    expect(parseWhen('since', '2026-01-31T22:00:05.5+01:00')).toBe(Date.UTC(2026, 0, 31, 21, 0, 5, 500) / 1000);
    expect(parseWhen('since', '2026-01-31')).toBe(new Date(2026, 0, 31).getTime() / 1000);
    expect(Math.abs(parseWhen('since', '7d') + 7 * 86_400 - Date.now() / 1000)).toBeLessThan(5);
  });

  it('reads letters, errors and metrics from the folder, and changes letters in it, one command after the other', async () => {
    const dir = await folderWithLetters(3);
    const [health, errors, stats] = await Promise.all([
      busbar('health', '--dir', dir),
      busbar('errors', 'list', '--dir', dir, '--json'),
      busbar('errors', 'stats', '--dir', dir, '--json'),
    ]);
    expect(health).toMatchObject({ exit: 1, err: '' });
    expect(health.out).toMatch(
      /^not running .*\n3 dead letters: see busbar dlq stats --dir \S+\n3 errors in all, .*\n {2}message_processing_error 3\n$/,
    );
    expect(JSON.parse(errors.out).map(({ message }: { message: string }) => message)).toEqual(Array(3).fill('not yet'));
    expect(JSON.parse(stats.out)).toMatchObject({ total_errors: 3, categories: { message_processing_error: 3 } });
    // Two at once: the second waits for the folder's lock.
    const [listed, other] = await Promise.all([
      busbar('dlq', 'list', '--dir', dir, '--json'),
      busbarProcess('dlq', 'stats', '--dir', dir),
    ]);
    expect(other.out).toMatch(/^3 letters/);
    const [first, second] = JSON.parse(listed.out).letters;
    expect(await busbar('dlq', 'archive', first.error_id, '--dir', dir)).toMatchObject({
      exit: 0,
      out: '1 archived\n',
    });
    expect(await busbar('dlq', 'purge', second.error_id, '--yes', '--dir', dir)).toMatchObject({
      exit: 0,
      out: '1 purged\n',
    });
    const edited = await busbar(
      'dlq',
      'edit',
      first.error_id,
      '--set',
      '{"n":99}',
      '--priority',
      'high',
      '--yes',
      '--dir',
      dir,
    );
    expect(edited).toMatchObject({ exit: 0, err: '' });
    const shown = await busbar('dlq', 'show', first.error_id, '--unmask', '--dir', dir);
    expect(shown.out).toMatch(/^priority +high\n[\s\S]*edited 1 times\n[\s\S]*\{ n: 99 \}/m);
    expect(await busbar('dlq', 'edit', first.error_id, '--set', '{half', '--yes', '--dir', dir)).toMatchObject({
      exit: 2,
    });
    const left = JSON.parse((await busbar('dlq', 'list', '--dir', dir, '--json')).out).letters;
    expect(JSON.parse((await busbar('health', '--dir', dir, '--json')).out)).toMatchObject({
      running: false,
      deadLetters: 2,
    });
    expect(left.map(({ state }: { state: string }) => state)).toEqual(['archived', 'dead']);
  }, 60_000);

  it('replays only with a module that builds the bus of this folder, and without one says what to do instead', async () => {
    const dir = await folderWithLetters(2);
    const refused = await busbar('dlq', 'replay', '--all', '--dir', dir, '--json');
    expect(refused).toMatchObject({ exit: 3, out: '' });
    const { code, message } = JSON.parse(refused.err).error;
    expect(code).toBe('REFUSED');
    expect(message).toMatch(/only a bus can replay: start it and say this again, or name a module .* --app/);
    const replay = ['dlq', 'replay', '--all', '--dir', dir, '--app'];
    process.env['TEST_FOLDER'] = temporaryFolder();
    const elsewhere = await busbar(...replay, BUILDS_A_BUS);
    expect(elsewhere).toMatchObject({ exit: 4, out: '' });
    expect(elsewhere.err).toMatch(/does not answer in .*: its socket is /);
    const [none, missing, throws] = await Promise.all([
      busbar(...replay, fileURLToPath(fixture('exports-nothing'))),
      busbar(...replay, '/nowhere/app.js'),
      busbar(...replay, fileURLToPath(fixture('throws-at-import'))),
    ]);
    expect(none).toMatchObject({ exit: 2 });
    expect([missing.exit, throws.exit]).toEqual([2, 5]);
    process.env['TEST_FOLDER'] = dir;
    const failed = await busbarProcess(...replay, fileURLToPath(fixture('fails-once-started')));
    expect(failed).toMatchObject({ exit: 5, out: '' });
    expect(failed.err).toMatch(/the database is away/);
    expect(await busbarProcess(...replay, BUILDS_A_BUS)).toEqual({ exit: 0, out: '2 replayed\n', err: '' });
    const { out, err } = await busbar('dlq', 'list', '--dir', dir);
    expect([out, err]).toEqual(['no letters\n', expect.stringMatching(/JetStream .* --app/)]);
  }, 60_000);

  it('says of a folder that was damaged what cannot be read, or was set aside', async () => {
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'dead_letter'));
    for (const name of ['error_metrics.json', 'message_bus_errors.json', 'dead_letter/dlq_1.json.corrupt'])
      writeFileSync(join(dir, name), 'half a line\n');
    const kinds = { category: 'data_error', severity: 'low', exception_type: 'Error' };
    const withoutComponent = { ...kinds, error_id: 'e', message: 'm', timestamp: 1, context: {} };
    appendFileSync(join(dir, 'message_bus_errors.json'), `${JSON.stringify(withoutComponent)}\n`);
    const on = async (...words: string[]): Promise<string> => {
      const { out, err } = await busbar(...words, '--dir', dir);
      return out + err;
    };
    expect(await on('health')).toMatch(
      /0 dead letters\ndamaged lines were set aside: dlq_1\.json\.corrupt in dead_letter\nthere are no metrics that can be read/,
    );
    expect(await on('errors', 'list')).toBe('no errors\npassed over, for it is damaged: 2 lines of the log\n');
    expect(await on('errors', 'stats')).toBe('the bus has stopped, and left no metrics that can be read\n');
  });

  it('says in one line what this user may not do, and who may', () => {
    const thrown = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES', path: '/logs/dead_letter' });
    const { exit, message, code } = asCliError(thrown);
    expect([exit, code]).toEqual([4, 'EACCES']);
    expect(message).toBe(
      "this user may not read or change /logs/dead_letter (EACCES): run busbar as the bus's own user",
    );
  });

  it('says of a letter that nobody subscribed to that it has no subscriber', async () => {
    const dir = temporaryFolder();
    const queue = new DeadLetterQueue({ storageDir: join(dir, 'dead_letter') });
    await queue.addMessage({ topic: 'job', payload: 1 }, reportOf({}));
    await queue.close();
    const [list, stats] = await Promise.all([
      busbar('dlq', 'list', '--dir', dir),
      busbar('dlq', 'stats', '--dir', dir),
    ]);
    expect(list.out).toMatch(/ {2}\(none\) +job {2}/);
    expect(stats.out).toMatch(/^\(none\) +1$/m);
  });

  it('refuses folders that are no bus’s, and one whose owner does not answer', async () => {
    const folder = temporaryFolder();
    const queue = new DeadLetterQueue({ storageDir: join(folder, 'dead_letter') });
    await queue.stats();
    const [none, plain, locked] = await Promise.all([
      busbar('dlq', 'list', '--dir', join(folder, 'nowhere')),
      busbar('health', '--dir', temporaryFolder()),
      busbarProcess('dlq', 'list', '--dir', folder),
    ]);
    await queue.close();
    expect(none).toMatchObject({ exit: 4, out: '' });
    expect(none.err).toMatch(/no folder .*nowhere: no bus was started with this errorLogDir; name the right one with/);
    expect(plain.err).toMatch(/no bus has logged into/);
    expect(locked).toMatchObject({ exit: 4, out: '' });
    expect(locked.err).toContain(`is in use by process ${process.pid}, and answers at no socket`);
  });

  it('refuses bad command lines with 2, before it does anything', async () => {
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'dead_letter'));
    const bad: [string[], RegExp][] = [
      [['dlq', 'lst'], /there is no command "dlq lst": did you mean busbar dlq list\?/],
      [
        ['dlq', 'list', '--reason', 'bored'],
        /^busbar: --reason must be one of retries_exhausted, .*; received "bored"/,
      ],
      [['--colour'], /there is no command "--colour": see busbar --help/],
      [['nonsense'], /there is no command "nonsense": see busbar --help/],
      [['dlq', 'list', '--subscribr', 's'], /unknown option '--subscribr': did you mean --subscriber\?/],
      [['dlq', 'list', '--colour'], /unknown option '--colour': see busbar dlq list --help/],
      [['dlq', 'list', '--category', 'timeout'], /--category must be one of connection_error/],
      [['dlq', 'list', '--limit', 'x'], /--limit must be a whole number of at least 1; received "x"/],
      [['errors', 'list', '--since', 'once'], /--since must be a time/],
      [['dlq', 'purge', 'an-id', '--all', '--yes'], /either ids, or a filter, or --all/],
      [['watch'], /watch needs a terminal/],
    ];
    const ended = await Promise.all(bad.map(([args]) => busbar(...args, '--dir', dir)));
    ended.forEach(({ exit, out, err }, index) => {
      expect({ exit, out }).toEqual({ exit: 2, out: '' });
      expect(err).toMatch(bad[index]?.[1] as RegExp);
    });
    const [help, of, half] = await Promise.all([busbar('--help'), busbar('dlq', 'replay', '--help'), busbar('dlq')]);
    expect(half).toMatchObject({ exit: 2, err: '' });
    expect(half.out).toMatch(/^ {2}dlq stats {3,}Dead letters by cause/m);
    expect(half.out).not.toMatch(/^ {2}watch/m);
    expect(help).toMatchObject({ exit: 0, err: '' });
    expect(help.out).toMatch(/ {2}3 {2}refused: /);
    expect(of.out).toMatch(/--canary <n> /);
  });

  it('follows the error log as it grows, through damage and rotation', async () => {
    const dir = temporaryFolder();
    const logger = new ErrorLogger({ logDir: dir, maxLogSize: 4096 });
    const log = async (message: string): Promise<void> => {
      logger.logError(reportOf({ message }));
      await logger.flush();
    };
    await log('before');
    const file = join(dir, 'message_bus_errors.json');
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"half": \nnull\n`);
    const tail = spawn(process.execPath, [MAIN, 'errors', 'tail', '--dir', dir], {
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    let heard = '';
    const hears = async (text: string): Promise<void> => {
      while (!heard.includes(text)) await new Promise((resolve) => tail.stdout.once('data', resolve));
    };
    tail.stdout.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    await hears('before');
    for (let n = 0; n < 12; n++) await log(`${n} ${'x'.repeat(900)}`);
    await log('the last one');
    await hears('the last one');
    tail.kill();
    await logger.close();
    expect(heard.split('\n').map((line) => /Error: (\d+|before|the last one)/.exec(line)?.[1])).toEqual([
      'before',
      ...Array.from({ length: 12 }, (_, n) => String(n)),
      'the last one',
      undefined,
    ]);
  });
});
