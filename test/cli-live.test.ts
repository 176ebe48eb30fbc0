// The command line on a running bus, through its socket: what it prints, how it ends, and that nothing hostile passes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it, type jest } from '@jest/globals';
import { LiveBus } from '../src/cli/live-bus.js';
import { MessageBus } from '../src/index.js';
import { CONTROL_SOCKET } from '../src/shared/control.js';
import { busbar, busbarProcess, type Ended, MAIN, UNSAFE } from './command-line.js';

const EVIL = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202egnp\n\rfake line\u2028';
const folder = mkdtempSync(join(tmpdir(), 'busbar-cli-'));
const bus = new MessageBus({
  errorLogDir: folder,
  threads: 1,
  retry: { message_processing_error: { maxRetries: 1, backoffMs: 1 } },
});
let isMended = false;
const handled: unknown[] = [];

/** Five failures in a row would open a breaker. */
beforeAll(async () => {
  await bus.start();
  await bus.subscribe(
    'camera.>',
    (frame) => {
      if (!isMended) throw new Error(`no picture ${EVIL}`);
      handled.push(frame);
    },
    { subscriberId: `detect ${EVIL}`, breaker: { name: 'detect', recoveryTimeoutMs: 600_000 } },
  );
  await bus.subscribe('feed', () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' })), {
    subscriberId: 'feed',
    breaker: false,
  });
  for (let n = 0; n < 3; n++) {
    bus.publish(
      'camera.front',
      { n, password: 'hunter2', [EVIL]: EVIL },
      { headers: { [EVIL]: EVIL }, key: EVIL, id: `${EVIL}${n}` },
    );
  }
  for (let n = 0; n < 4; n++) bus.publish('feed', new Map([['n', n]]));
  await bus.idle();
});

afterAll(async () => {
  await bus.stop({ drain: false });
  rmSync(folder, { recursive: true, force: true });
});

/** All that was ever said. */
const said: Ended[] = [];
async function on(...args: string[]): Promise<Ended> {
  const ended = await busbar(...args, '--dir', folder);
  said.push(ended);
  return ended;
}

/** True when the command that runs in this process has said so beside its output. */
function isSaid(text: string): boolean {
  const { mock } = process.stderr.write as Partial<jest.Mock>;
  return mock?.calls.some(([said]) => String(said).includes(text)) ?? false;
}

describe('the command line on a running bus', () => {
  it('says how the bus is and why, and ends with 1 when that is not well', async () => {
    const told = await busbarProcess('health', '--dir', folder);
    const json = await on('health', '--json');
    expect(told).toMatchObject({ exit: 1, err: '' });
    expect(told.out).toMatch(
      /^critical {2}process \d+, running for \d+s\n {2}only 0\.0 % of the deliveries of the last 60 minutes succeeded\n/,
    );
    expect(told.out).toMatch(/^detect .* +camera\.> +3 +0 +3 +0 +0 +0 +0 +closed$/m);
    expect(told.out).toMatch(/^feed +feed +4 +0 +4 +0 +0 +0 +0 +none$/m);
    expect(told.out).toMatch(/authentication_error 4/);
    expect(told.out).toMatch(/^threads: none of \d needed yet$/m);
    const { pid, status, subscriptions, control } = JSON.parse(json.out);
    expect({ pid, status, subscriptions: subscriptions.length }).toEqual({
      pid: process.pid,
      status: 'critical',
      subscriptions: 2,
    });
    expect(control).toEqual({ listening: true, path: join(folder, 'control.sock'), error: null });
  });

  it('lists letters by filter, counts them, and says that there are more', async () => {
    const [all, feed, two, stats, none] = await Promise.all([
      on('dlq', 'list', '--json'),
      on('dlq', 'list', '--category', 'authentication_error', '--since', '1h', '--json'),
      on('dlq', 'list', '--topic', 'camera.>', '--limit', '2'),
      on('dlq', 'stats', '--json'),
      on('dlq', 'list', '--subscriber', 'nobody'),
    ]);
    expect(JSON.parse(all.out)).toMatchObject({ truncated: false, letters: { length: 7 } });
    expect(JSON.parse(feed.out).letters.map(({ subscriber_id: id }: { subscriber_id: string }) => id)).toEqual(
      Array(4).fill('feed'),
    );
    expect(two.out.split('\n')).toHaveLength(5);
    expect(two.out).toContain('… and more');
    expect(JSON.parse(stats.out)).toMatchObject({ letters: 7, byReason: { not_retryable: 4, retries_exhausted: 3 } });
    expect(none).toEqual({ exit: 0, out: 'no letters\n', err: '' });
  });

  it('says in JSON when there are more letters than it shows, and how many it shows at most', async () => {
    expect(JSON.parse((await on('dlq', 'list', '--json', '--limit', '2')).out)).toMatchObject({
      truncated: true,
      letters: { length: 2 },
    });
    expect(await on('dlq', 'list', '--limit', '10001')).toMatchObject({ exit: 2, out: '' });
  });

  it('finds errors by a pattern of topics', async () => {
    const countOf = async (topic: string): Promise<number> =>
      JSON.parse((await on('errors', 'list', '--topic', topic, '--json')).out).length;
    expect(await countOf('camera.*')).toBe(6);
    expect(await countOf('>')).toBe(10);
    expect(await countOf('*')).toBe(4);
    expect(await countOf('camera.*.x')).toBe(0);
  });

  it('counts in a dry run what is there only', async () => {
    const { exit, out } = await on('dlq', 'replay', 'nonexistent-id', '--dry-run');
    expect({ exit, out }).toEqual({
      exit: 1,
      out: '0 would be replayed\n1 would not be tried, there is no such letter: nonexistent-id\n',
    });
  });

  it('shows one letter: masked, redacted, or as it is', async () => {
    const [first] = JSON.parse((await on('dlq', 'list', '--json', '--topic', 'camera.front')).out).letters;
    const show = (...args: string[]) => on('dlq', 'show', first.error_id, ...args);
    const [masked, redacted, bare, json, exact] = await Promise.all([
      show(),
      show('--payload'),
      show('--unmask'),
      show('--json'),
      busbarProcess('dlq', 'show', first.error_id, '--json', '--unmask', '--dir', folder),
    ]);
    expect(masked.out).toMatch(/password: text of 7/);
    expect(masked.out + json.out + redacted.out).not.toContain('hunter2');
    expect(redacted.out).toMatch(/password: '\[redacted\]'/);
    expect(bare.out).toMatch(/password: 'hunter2'/);
    expect(JSON.parse(json.out).message).not.toHaveProperty('payload');
    expect(JSON.parse(exact.out)).toMatchObject({
      error_id: first.error_id,
      message: { payload: { n: 0, password: 'hunter2', [EVIL]: EVIL }, key: EVIL, headers: { [EVIL]: EVIL } },
    });
  });

  it('shows a payload that JSON cannot say, and gives it in base64 to programs', async () => {
    const [first] = JSON.parse((await on('dlq', 'list', '--json', '--topic', 'feed')).out).letters;
    const [people, programs] = await Promise.all([
      on('dlq', 'show', first.error_id, '--unmask'),
      on('dlq', 'show', first.error_id, '--unmask', '--json'),
    ]);
    expect(people.out).toContain("Map(1) { 'n' => 0 }");
    const { payload_codec: codec, payload_base64: bytes } = JSON.parse(programs.out).message;
    expect(codec).toBe('v8');
    expect(Buffer.from(bytes, 'base64').length).toBeGreaterThan(0);
  });

  it('reads the error log, without previews of payloads unless they are wanted', async () => {
    const [list, json, tail, stats] = await Promise.all([
      on('errors', 'list', '--payload', '--category', 'message_processing_error'),
      on('errors', 'list', '--json', '--severity', 'high', '--limit', '3'),
      on('errors', 'tail', '--no-follow', '--subscriber', 'feed', '--since', '1h'),
      on('errors', 'stats', '--json'),
    ]);
    expect(list.out).toMatch(/medium {3}message_processing_error .* camera\.front Error: no picture /);
    expect(list.out).toContain('"password":"[redacted]"');
    expect(list.out).toContain('gnp ⏎ \\u000dfake line\\u2028');
    const reports = JSON.parse(json.out);
    expect(reports).toHaveLength(3);
    expect(reports[0]).toMatchObject({ category: 'authentication_error', context: { subscriber_id: 'feed' } });
    expect(reports[0].context).not.toHaveProperty('message');
    expect(tail.out.split('\n')).toHaveLength(5);
    expect(JSON.parse(stats.out)).toMatchObject({ total_errors: 10, categories: { authentication_error: 4 } });
  });

  it('replays what is mended, and ends with 1 for what failed again', async () => {
    isMended = true;
    const [one, two, three] = JSON.parse((await on('dlq', 'list', '--json', '--topic', 'camera.front')).out).letters;
    expect(await on('dlq', 'replay', '--topic', 'camera.front', '--dry-run')).toMatchObject({
      exit: 0,
      out: '3 would be replayed\n',
    });
    bus.breaker('detect').forceOpen();
    const held = on('dlq', 'replay', one.error_id);
    while (!isSaid(' is held, and 1 messages wait: its breaker is forced_open; to close it: busbar breaker reset'))
      await new Promise((later) => setTimeout(later, 20));
    bus.breaker('detect').reset();
    expect(await held).toMatchObject({
      exit: 0,
      out: `1 replayed\n1 waited for an open breaker: ${one.error_id}\n`,
    });
    expect(
      await on('dlq', 'replay', '--topic', 'camera.front', '--canary', '1', '--rate', '100', '--json'),
    ).toMatchObject({
      exit: 0,
      out: `${JSON.stringify({ replayed: [two.error_id, three.error_id], failed: [], skipped: [], skippedBecause: {}, held: [] })}\n`,
    });
    expect(handled).toHaveLength(3);
    const again = await on('dlq', 'replay', '--subscriber', 'feed', '--canary', '1');
    expect(again.exit).toBe(1);
    expect(again.out).toMatch(/^0 replayed\n1 failed again: \S{21}\n3 not tried, one of the canary was not replayed: /);
  });

  it('archives, and purges only when it is told so in so many words', async () => {
    expect(await on('dlq', 'archive', '--subscriber', 'feed')).toMatchObject({ exit: 0, out: '4 archived\n' });
    expect(await on('dlq', 'replay', '--all')).toMatchObject({
      exit: 1,
      out: `0 replayed\nno letter like that waits for a replay: see busbar dlq stats --dir ${folder}\n`,
    });
    const refused = await busbarProcess('dlq', 'purge', '--state', 'archived', '--dir', folder);
    expect(refused.exit).toBe(3);
    expect(refused.err).toContain('--yes');
    expect(refused.err).not.toContain('archived ones too');
    expect((await busbarProcess('dlq', 'purge', '--all', '--dir', folder)).err).toContain(
      'all letters, archived ones too,',
    );
    expect((await on('dlq', 'purge', '--yes')).err).toContain('say which letters: ids, a filter, or --all');
    expect(await on('dlq', 'purge', '--state', 'archived', '--yes')).toMatchObject({ exit: 0, out: '4 purged\n' });
    expect(await bus.deadLetterQueue?.list()).toEqual([]);
  });

  it('gives up a bus whose main thread is busy, and keeps no connection to it', async () => {
    const path = mkdtempSync(join(tmpdir(), 'busbar-cli-'));
    let ended = 0;
    // Accepts, and never answers.
    const busy = createServer((socket) => socket.resume().on('end', () => ended++));
    await new Promise<void>((listening) => busy.listen(join(path, CONTROL_SOCKET), listening));
    const asked = await LiveBus.connect(path, 50);
    await expect(asked?.ask({ ask: 'health' })).rejects.toMatchObject({
      exit: 4,
      message: expect.stringContaining('main thread is busy'),
    });
    await new Promise((closed) => busy.close(closed));
    expect(ended).toBe(1);
    rmSync(path, { recursive: true, force: true });
  });

  it('lists the breakers, opens one by hand, and resets it', async () => {
    expect(await on('breaker', 'open', 'detect')).toMatchObject({ exit: 0 });
    bus.publish('camera.front', 'waits');
    expect((await on('breaker', 'list')).out).toMatch(/^detect +forced_open$/m);
    expect((await on('health')).out).toMatch(/breaker detect is forced_open/);
    expect(await on('breaker', 'reset', 'detect')).toMatchObject({ exit: 0, out: 'detect is closed\n' });
    await bus.idle();
    expect(handled.at(-1)).toBe('waits');
    expect(await on('breaker', 'reset', 'nobody')).toMatchObject({ exit: 1 });
    expect(await on('breaker', 'reset', 'feed')).toMatchObject({ exit: 1 });
  });

  it('watches, for programs, as a line of JSON each second, with what each subscription has settled in it', async () => {
    const watching = spawn(process.execPath, [MAIN, 'watch', '--json', '--dir', folder]);
    for await (const line of createInterface({ input: watching.stdout })) {
      const { health, rates } = JSON.parse(line);
      expect(health.subscriptions).toHaveLength(2);
      expect(rates).toEqual([
        { pattern: 'camera.>', subscriberId: `detect ${EVIL}`, perSecond: expect.any(Number) },
        { pattern: 'feed', subscriberId: 'feed', perSecond: expect.any(Number) },
      ]);
      if (rates.some(({ perSecond }: { perSecond: number }) => perSecond > 0)) break;
      bus.publish('camera.front', 'watched');
      await bus.idle();
    }
    watching.kill();
    await once(watching, 'exit');
  });

  it('lets nothing through, in all of the above, that a terminal acts on, and no line that a message made up', async () => {
    await Promise.all([
      on(EVIL),
      on('dlq', 'show', `${EVIL}\n    at x`),
      on('dlq', 'show', EVIL, '--json'),
      on('health', `--${EVIL}`),
    ]);
    for (const { out, err } of said) {
      expect(out + err).not.toMatch(UNSAFE);
      expect(out + err).not.toMatch(/^\s*fake line/m);
    }
    expect(said.filter(({ out, err }) => (out + err).includes('\\u001b')).length).toBeGreaterThan(10);
  });
});
