// The local socket of a bus: private, bounded, replaced when stale, and never the bus's undoing.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { shareBus } from './shared-bus.js';
import { linesOf, startBus, temporaryFolder } from './test-bus.js';

/** What comes back for these bytes until the bus closes, or all lines are answered. */
function say(folder: string, bytes: string | Uint8Array, answers = 1): Promise<string[]> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect(join(folder, 'control.sock'));
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      heard += text;
      if (heard.split('\n').length > answers) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(heard.split('\n').slice(0, -1)));
    socket.end(bytes);
  });
}

const codeOf = (line: string | undefined): unknown => JSON.parse(line ?? '{}').code;

const NEVER = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };

describe('the local socket of a bus', () => {
  const shared = shareBus();

  it('is for its user alone, answers one line with one, and is gone when the bus has stopped', async () => {
    const folder = temporaryFolder();
    const bus = await startBus({ errorLogDir: folder });
    const path = join(folder, 'control.sock');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.startsWith('.c'))).toEqual([]);
    const [health, letters] = await say(folder, '{"ask":"health"}\n{"ask":"letters","filter":{}}\n', 2);
    expect(JSON.parse(health ?? '')).toMatchObject({
      ok: true,
      answer: { pid: process.pid, health: { running: true } },
    });
    expect(JSON.parse(letters ?? '')).toEqual({ ok: true, answer: [] });
    await bus.stop();
    expect(existsSync(path)).toBe(false);
  });

  it('refuses what it does not understand, and goes on', async () => {
    const { folder } = shared;
    const nonsense = ['no JSON', 'null', '[]', '{"ask":"stop"}', '{"ask":{"toString":null}}', '{"ask":"__proto__"}'];
    const replies = await say(folder, `${nonsense.join('\n')}\n`, nonsense.length);
    expect(replies.map(codeOf)).toEqual(nonsense.map(() => 'BUSBAR_CONTROL_REQUEST'));
    const moves = ['{"ask":"breaker","name":"__proto__","command":"reset"}', '{"ask":"breaker"}', '{"ask":"letter"}'];
    expect((await say(folder, `${moves.join('\n')}\n`, 3)).map((line) => JSON.parse(line).answer)).toEqual([
      null,
      null,
      undefined,
    ]);
    const tooMuch = await say(folder, Buffer.alloc(5 * 1024 * 1024, 'x'));
    expect(tooMuch.map(codeOf)).toEqual(['BUSBAR_CONTROL_REQUEST']);
    expect(JSON.parse((await say(folder, '{"ask":"health"}\n'))[0] ?? '').ok).toBe(true);
  });

  it('takes bytes of any kind, and clients that go away in the middle', async () => {
    const { bus, folder } = shared;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        for (const line of await say(folder, bytes, 1000)) expect(JSON.parse(line).ok).toBe(false);
      }),
      { numRuns: 30 },
    );
    for (let n = 0; n < 30; n++) {
      const socket = connect(join(folder, 'control.sock'));
      socket.on('error', () => undefined);
      socket.write('{"ask":"health"}\n{"ask":"he');
      socket.destroy();
    }
    expect(JSON.parse((await say(folder, '{"ask":"health"}\n'))[0] ?? '').ok).toBe(true);
    expect(bus.getHealthStatus().control).toMatchObject({ listening: true, error: null });
  });

  it('replaces the socket that a killed process left', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'control.sock');
    const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', program]);
    expect(statSync(path).isSocket()).toBe(true);
    await startBus({ errorLogDir: folder });
    expect(await say(folder, '{"ask":"health"}\n')).toHaveLength(1);
  });

  it('is that of the first bus of a process on a folder, and of the second once the first has stopped', async () => {
    const folder = temporaryFolder();
    const link = join(temporaryFolder(), 'link');
    symlinkSync(folder, link);
    const first = await startBus({ errorLogDir: folder });
    const second = await startBus({ errorLogDir: link });
    await first.subscribe('a', () => Promise.reject(new Error('no')), { subscriberId: 'first', retry: NEVER });
    first.publish('a', 1);
    await first.idle();
    expect(second.getHealthStatus()).toMatchObject({
      status: 'healthy',
      control: { listening: false, error: 'another bus of this process has the socket of this folder, until it stops' },
    });
    const patternOf = async (): Promise<unknown> =>
      JSON.parse((await say(folder, '{"ask":"health"}\n'))[0] ?? '{}').answer?.health.subscriptions[0]?.pattern;
    expect(await patternOf()).toBe('a');
    expect(await second.deadLetterQueue?.replay({ all: true })).toMatchObject({
      skippedBecause: { unsubscribed: { length: 1 } },
    });
    await first.stop();
    await second.subscribe('b', () => undefined, { subscriberId: 'second' });
    while (second.getHealthStatus().control?.listening !== true) await new Promise((later) => setTimeout(later, 20));
    expect(second.getHealthStatus().control?.error).toBeNull();
    expect(await patternOf()).toBe('b');
  });

  it('is missing where its path would be too long, which harms nothing and is told', async () => {
    const folder = join(temporaryFolder(), 'a-name-that-is-long-'.repeat(5));
    mkdirSync(folder);
    const bus = await startBus({ errorLogDir: folder });
    const { control, status } = bus.getHealthStatus();
    expect({ status, listening: control?.listening }).toEqual({ status: 'healthy', listening: false });
    expect(control?.error).toMatch(/a socket's path may have 103 bytes, and \S+ has \d+: choose a shorter errorLogDir/);
    await bus.errorLogger?.flush();
    const [line] = linesOf(join(folder, 'message_bus_errors.json'));
    expect(JSON.parse(line ?? '')).toMatchObject({
      component: 'control_socket',
      category: 'configuration_error',
      context: { code: 'BUSBAR_CONTROL_SOCKET' },
    });
  });

  it('has room for a client that asks, whoever holds connections and asks nothing', async () => {
    const { folder } = shared;
    const idle = Array.from({ length: 16 }, () => connect(join(folder, 'control.sock')).on('error', () => undefined));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    expect(await say(folder, '{"ask":"health"}\n')).toHaveLength(1);
    for (const socket of idle) socket.destroy();
  });

  it('stays with the first of two buses that share a folder', async () => {
    const { bus: first, folder } = shared;
    const second = await startBus({ errorLogDir: folder });
    expect(second.getHealthStatus().control?.error).toMatch(/another bus of this process/);
    await second.stop();
    expect(first.getHealthStatus().control).toMatchObject({ listening: true, error: null });
    expect(await say(folder, '{"ask":"health"}\n')).toHaveLength(1);
  });

  it('is made again when its folder was deleted and is back, and health says so', async () => {
    const { bus, folder } = shared;
    rmSync(join(folder, 'control.sock'));
    const until = async (isSo: () => boolean): Promise<void> => {
      while (!isSo()) await new Promise((later) => setTimeout(later, 50));
    };
    await until(() => bus.getHealthStatus().control?.error != null);
    await until(() => bus.getHealthStatus().control?.listening === true);
    expect(bus.getHealthStatus().control?.error).toMatch(/control\.sock was removed, and made again$/);
    expect(await say(folder, '{"ask":"health"}\n')).toHaveLength(1);
  });
});
