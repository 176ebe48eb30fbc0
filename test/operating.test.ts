// The symptoms of the README's "Operating it": a bus really in each state, the command that shows it, and what cures it.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { busbar } from './command-line.js';
import { startBus, temporaryFolder } from './test-bus.js';

const refused = (): Error => Object.assign(new Error('nobody listens'), { code: 'ECONNREFUSED' });

describe('an operator', () => {
  it('finds a high error rate and its category, and more retries carry the messages over it', async () => {
    for (const maxRetries of [1, 5]) {
      const dir = temporaryFolder();
      const bus = await startBus({ errorLogDir: dir, retry: { connection_error: { maxRetries, backoffMs: 1 } } });
      const attempts = new Map<unknown, number>();
      const flaky = (n: unknown): void => {
        attempts.set(n, (attempts.get(n) ?? 0) + 1);
        if ((attempts.get(n) ?? 0) <= 3) throw refused();
      };
      await bus.subscribe('a', flaky, { subscriberId: 's', breaker: false });
      for (let n = 0; n < 5; n++) bus.publish('a', n);
      await bus.idle();
      // What the command reads of the disk has to be there.
      await bus.errorLogger?.flush();
      const health = await busbar('health', '--dir', dir);
      const category = ['--category', 'connection_error'];
      const list = await busbar('errors', 'list', '--since', '1h', ...category, '--dir', dir, '--json');
      const errors = JSON.parse(list.out);
      const one = { category: 'connection_error', message: 'nobody listens' };
      expect(errors).toContainEqual(expect.objectContaining(one));
      expect(health.exit).toBe(maxRetries === 1 ? 1 : 0);
      expect(health.out).toMatch(
        maxRetries === 1
          ? /\nerrors 10, 10 in the last hour, 0\.17 a minute\n {2}connection_error 10/
          : /5 recovered after errors/,
      );
    }
  });

  it('finds the breaker that is stuck open, and resets it', async () => {
    const dir = temporaryFolder();
    const bus = await startBus({ errorLogDir: dir, retry: { connection_error: { maxRetries: 0, backoffMs: 1 } } });
    let isBack = false;
    const call = (): void => {
      if (!isBack) throw refused();
    };
    await bus.subscribe('a', call, { subscriberId: 's', breaker: { recoveryTimeoutMs: 3_600_000 } });
    for (let n = 0; n < 8; n++) bus.publish('a', n);
    while (bus.breaker('a#s').state !== 'open') await new Promise((resolve) => setTimeout(resolve, 5));
    isBack = true;
    await bus.errorLogger?.flush();
    expect((await busbar('health', '--dir', dir)).out).toMatch(/breaker a#s is open/);
    expect((await busbar('errors', 'list', '--dir', dir)).out).toMatch(/connection_error +s a +Error: nobody listens/);
    expect(await busbar('breaker', 'reset', 's', '--dir', dir)).toMatchObject({ exit: 0, out: 'a#s is closed\n' });
    await bus.subscribe('b', call, { subscriberId: 's' });
    const ambiguous = await busbar('breaker', 'reset', 's', '--dir', dir);
    expect(ambiguous).toMatchObject({
      exit: 2,
      err: expect.stringContaining('several are of this subscriber: a#s, b#s'),
    });
    expect(await busbar('breaker', 'reset', 'a#s', '--dir', dir)).toMatchObject({ exit: 0, out: 'a#s is closed\n' });
    await bus.idle();
    expect(bus.getHealthStatus().subscriptions[0]).toMatchObject({ succeeded: 3, deadLettered: 5, breaker: 'closed' });
  });

  it('finds why dead letters grow, and replays that cause once it is mended', async () => {
    const dir = temporaryFolder();
    const bus = await startBus({
      errorLogDir: dir,
      retry: { message_processing_error: { maxRetries: 0, backoffMs: 1 } },
    });
    let isMended = false;
    const parse = (): void => {
      if (!isMended) throw new TypeError('no such field');
    };
    await bus.subscribe('a', parse, { subscriberId: 's', breaker: false });
    for (let n = 0; n < 20; n++) bus.publish('a', n);
    await bus.idle();
    expect((await busbar('health', '--dir', dir)).out).toContain('20 dead letters came within 5 minutes');
    const stats = await busbar('dlq', 'stats', '--dir', dir);
    const [, cause = ''] =
      /^(v1:\w+) +20 .* s +message_processing_error +TypeError: no such field/m.exec(stats.out) ?? [];
    isMended = true;
    const replayed = await busbar('dlq', 'replay', '--signature', cause, '--canary', '5', '--dir', dir);
    expect(replayed).toMatchObject({ exit: 0, out: '20 replayed\n' });
    expect((await busbar('dlq', 'stats', '--dir', dir)).out).toMatch(/^0 letters/);
  });

  it('finds what fills the log, which never grows above the limits it was given', async () => {
    const dir = temporaryFolder();
    const retry = { message_processing_error: { maxRetries: 0, backoffMs: 1 } };
    const bus = await startBus({ errorLogDir: dir, retry, maxLogSize: 16_384, maxLogFiles: 2 });
    const word = (n: unknown): string =>
      String.fromCharCode(97 + (Number(n) % 26), 97 + (Math.floor(Number(n) / 26) % 26));
    const fail = (n: unknown): never => {
      throw new Error(`${word(n)} ${'x'.repeat(500)}`);
    };
    await bus.subscribe('a', fail, { subscriberId: 's', breaker: false });
    for (let n = 0; n < 150; n++) bus.publish('a', n);
    await bus.idle();
    await bus.errorLogger?.flush();
    const sizes = readdirSync(dir)
      .filter((name) => name.startsWith('message_bus_errors'))
      .map((name) => statSync(join(dir, name)).size);
    expect(sizes).toHaveLength(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16_384);
    const stats = await busbar('errors', 'stats', '--dir', dir);
    expect(stats.out).toMatch(/message_processing_error +150/);
  });

  it('lists errors in columns, and looks at one in full, its preview only if that is wanted', async () => {
    const dir = temporaryFolder();
    const bus = await startBus({ errorLogDir: dir });
    const fail = ({ name }: { name: string }): never => {
      throw new Error(`no picture\n    at ${name}`);
    };
    for (const subscriberId of ['s', 'another']) {
      await bus.subscribe(`camera.${subscriberId}`, fail, { subscriberId, breaker: false });
      bus.publish(`camera.${subscriberId}`, { name: 'front', password: 'hunter2' });
    }
    await bus.idle();
    await bus.errorLogger?.flush();
    const lines = (await busbar('errors', 'list', '--dir', dir)).out.trimEnd().split('\n');
    expect(lines).toHaveLength(6);
    expect(lines.map((line) => [line.indexOf(' 20'), line.indexOf(' Error: no')])).toEqual(Array(6).fill([21, 98]));
    const [{ error_id: id }] = JSON.parse((await busbar('errors', 'list', '--dir', dir, '--json')).out);
    const show = (...args: string[]) => busbar('errors', 'show', ...args, '--dir', dir);
    const { out } = await show(id);
    expect(out).toMatch(/^report {6}\S{21}\nlogged {6}20\S+ \S+, medium, message_processing_error\ncomponent {3}sub/);
    expect(out).toMatch(/\nrecovery {4}.*; 2 failed attempts before\n\nError: no picture\n {2}\| {5}at front\n {2}at /);
    expect(out).toMatch(/\ncontext\n[\s\S]* {2}topic: camera\.\w+\n/);
    expect(out).not.toContain('password');
    expect((await show(id, '--payload')).out).toContain('"password":"[redacted]"');
    expect(JSON.parse((await show(id, '--json')).out)).toMatchObject({ error_id: id, retry_count: 2 });
    expect(await show('nobody')).toEqual({ exit: 1, out: '', err: 'busbar: there is no report "nobody"\n' });
  });
});
