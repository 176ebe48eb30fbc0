// Dead letters: on the disk once accepted, equal when they come back, and kept through crashes and damage.
import { execFile, spawn } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect, promisify } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DeadLetterQueue, type DeadLetterQueueOptions, type ErrorReport } from '../src/index.js';
import { Logging } from '../src/observe/logging.js';
import { linesOf, temporaryFolder } from './test-bus.js';

const INDEX = new URL('../src/index.js', import.meta.url).href;
const queues: DeadLetterQueue[] = [];
afterEach(async () => {
  for (const queue of queues.splice(0)) await queue.close();
});

function queueOn(storageDir: string, options: Partial<DeadLetterQueueOptions> = {}): DeadLetterQueue {
  const queue = new DeadLetterQueue({ storageDir, ...options });
  queues.push(queue);
  return queue;
}

const REPORT: ErrorReport = {
  error_id: 'r',
  timestamp: 1_700_000_000,
  category: 'timeout_error',
  severity: 'high',
  component: 'test',
  message: 'too late',
  exception_type: 'TimeoutError',
  traceback: null,
  context: { signature: 'v1:s', subscriber_id: 'sub', pattern: 'a.*' },
  recovery_attempted: false,
  recovery_successful: false,
  retry_count: 2,
};

function segmentsOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^dlq_.*\.json$/.test(name))
    .map((name) => join(folder, name));
}

async function closed(queue: DeadLetterQueue): Promise<void> {
  queues.splice(queues.indexOf(queue), 1);
  await queue.close();
}

describe('a dead letter', () => {
  it('is on the disk once it was accepted, as one readable line', async () => {
    const folder = temporaryFolder();
    const queue = queueOn(folder);
    const id = await queue.addMessage(
      { topic: 'a.b', payload: { n: 1 }, key: 'k', headers: { h: 'v' }, id: 'm' },
      REPORT,
    );
    const [segment = ''] = segmentsOf(folder);
    const [line = ''] = linesOf(segment);
    expect(JSON.parse(line)).toMatchObject({
      format: 1,
      error_id: id,
      reason: 'manual',
      error_category: 'timeout_error',
      retry_count: 2,
      signature: 'v1:s',
      topic: 'a.b',
      subscriber_id: 'sub',
      message: { id: 'm', topic: 'a.b', payload: { n: 1 }, key: 'k', priority: 'normal', headers: { h: 'v' } },
    });
    expect([statSync(segment).mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  it.each<[string, unknown]>([
    ['plain data', { a: [1, 'x', null, { deep: true }] }],
    ['bytes', Buffer.from([0, 255, 10, 13])],
    ['a typed array', new Float32Array([1.5, 2])],
    ['everything else', new Map<unknown, unknown>([[1n, new Set([new Date(1), undefined, -0])]])],
    ['nothing', undefined],
    ['a text with line breaks', 'a\nb\r\n\u2028'],
    ['an own key named __proto__', JSON.parse('{"__proto__":{"x":1}}')],
  ])('brings %s back, also after a restart', async (_name, payload) => {
    const folder = temporaryFolder();
    const first = queueOn(folder);
    await first.addMessage({ topic: 'a', payload }, REPORT);
    await closed(first);
    const [letter] = await queueOn(folder).getMessages();
    expect(inspect(letter?.message.payload)).toBe(inspect(payload));
  });

  it('brings a cycle back, and what could be kept of the uncloneable', async () => {
    const queue = queueOn(temporaryFolder());
    const cycle: Record<string, unknown> = { n: 1 };
    cycle['self'] = cycle;
    await queue.addMessage({ topic: 'a', payload: cycle }, REPORT);
    await queue.addMessage({ topic: 'a', payload: { ok: 1, fn: () => 1 } }, REPORT);
    const [one, two] = await queue.getMessages();
    const payload = one?.message.payload as typeof cycle | undefined;
    expect(payload?.['self']).toBe(payload);
    expect(two?.message.payload).toEqual({ ok: 1 });
  });

  it('of 10 MB is kept, too', async () => {
    const queue = queueOn(temporaryFolder());
    await queue.addMessage({ topic: 'a', payload: Buffer.alloc(10e6, 7) }, REPORT);
    const [letter] = await queue.getMessages();
    expect(Buffer.alloc(10e6, 7).equals(letter?.message.payload as Buffer)).toBe(true);
  });

  it('changes no path and no line, whatever its names are', async () => {
    const folder = temporaryFolder();
    const queue = queueOn(join(folder, 'q'));
    const nasty = '../../x\n{"error_id":"forged"}\n';
    const report = { ...REPORT, context: { subscriber_id: nasty, pattern: nasty, signature: nasty } };
    await queue.addMessage(
      { topic: nasty, payload: nasty, id: nasty, key: nasty, headers: { [nasty]: nasty } },
      report,
    );
    expect(readdirSync(folder)).toEqual(['q']);
    expect(linesOf(segmentsOf(join(folder, 'q'))[0] ?? '')).toHaveLength(1);
    expect(await queue.getMessages()).toMatchObject([{ topic: nasty, subscriber_id: nasty, message: { id: nasty } }]);
  });
});

describe('the queue', () => {
  it('lists by filter, archives, purges, counts, and clears memory and disk', async () => {
    const folder = temporaryFolder();
    const queue = queueOn(folder);
    const ids = await Promise.all(
      ['a.b', 'a.c', 'b', 'b'].map((topic) => queue.addMessage({ topic, payload: topic }, REPORT)),
    );
    expect((await queue.list({ topic: 'a.>' })).map(({ topic }) => topic)).toEqual(['a.b', 'a.c']);
    expect(await queue.list({ topic: 'b', limit: 1 })).toHaveLength(1);
    expect(await queue.list({ category: 'connection_error' })).toEqual([]);
    expect(await queue.archive([ids[0] as string])).toBe(1);
    expect((await queue.list({ state: 'archived' })).map(({ error_id: id }) => id)).toEqual([ids[0]]);
    expect(await queue.purge({ topic: 'b' })).toBe(2);
    expect(await queue.stats()).toMatchObject({ letters: 2, byReason: { manual: 2 }, bySubscriber: { sub: 2 } });
    await closed(queue);
    const again = queueOn(folder);
    expect((await again.list()).map(({ topic, state }) => [topic, state])).toEqual([
      ['a.b', 'archived'],
      ['a.c', 'dead'],
    ]);
    expect(await again.clear()).toBe(2);
    expect(segmentsOf(folder)).toEqual([]);
    await closed(again);
    expect(await queueOn(folder).getMessages()).toEqual([]);
  });

  it('keeps so many letters, and the oldest go first', async () => {
    const queue = queueOn(temporaryFolder(), { maxLetters: 3 });
    for (let n = 0; n < 10; n++) await queue.addMessage({ topic: 'a', payload: n }, REPORT);
    const deadline = Date.now() + 5000;
    while ((await queue.list()).length > 3 && Date.now() < deadline)
      await new Promise((resume) => setTimeout(resume, 50));
    expect((await queue.getMessages()).map(({ message }) => message.payload)).toEqual([7, 8, 9]);
  });

  it('cuts a torn tail, sets bad lines aside, and keeps all the rest', async () => {
    const folder = temporaryFolder();
    const first = queueOn(folder);
    for (let n = 0; n < 5; n++) await first.addMessage({ topic: 'a', payload: n }, REPORT);
    await closed(first);
    const [segment = ''] = segmentsOf(folder);
    const lines = readFileSync(segment, 'utf8').split('\n');
    lines[1] = `${lines[1]?.slice(0, 50)}`;
    lines[2] = '{"format":1,"error_id":5}';
    writeFileSync(segment, lines.join('\n'));
    truncateSync(segment, statSync(segment).size - 20);
    writeFileSync(join(folder, 'dlq_20260101T000000000Z_0.json'), '\u0000\u0001garbage');
    appendFileSync(join(folder, 'something-else.txt'), 'not ours');

    const logging = Logging.of(folder, folder);
    const second = queueOn(folder);
    expect((await second.getMessages()).map(({ message }) => message.payload)).toEqual([0, 3]);
    expect(logging.health()).toMatchObject({ corruptLines: 2, tornTails: 2, deadLetters: 2 });
    expect(linesOf(`${segment}.corrupt`)).toEqual([lines[1], lines[2]]);
    await second.addMessage({ topic: 'a', payload: 'new' }, REPORT);
    await closed(second);
    await logging.close();
    expect((await queueOn(folder).getMessages()).map(({ message }) => message.payload)).toEqual([0, 3, 'new']);
  });

  it('refuses to replay without a bus, bad options, and work after it was closed', async () => {
    expect(() => new DeadLetterQueue({} as DeadLetterQueueOptions)).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }),
    );
    expect(() => new DeadLetterQueue({ storageDir: 'x', maxLetters: 0 })).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }),
    );
    const queue = queueOn(temporaryFolder());
    await expect(queue.replay()).rejects.toMatchObject({ code: 'BUSBAR_NOT_RUNNING' });
    await queue.close();
    await expect(queue.addMessage({ topic: 'a', payload: 1 }, REPORT)).rejects.toMatchObject({
      code: 'BUSBAR_NOT_RUNNING',
    });
    await expect(queue.list()).rejects.toMatchObject({ code: 'BUSBAR_NOT_RUNNING' });
  });
});

describe('the logging worker', () => {
  it('that dies is replaced, and every letter is kept exactly once', async () => {
    const folder = temporaryFolder();
    const logging = Logging.of(folder, folder);
    const queue = queueOn(folder);
    await queue.list();
    const added: Promise<string>[] = [];
    for (let round = 0; round < 4; round++) {
      for (let n = 0; n < 200; n++) added.push(queue.addMessage({ topic: 'a', payload: round * 200 + n }, REPORT));
      // It dies without answering.
      await expect(logging.ask((worker) => worker.die())).rejects.toMatchObject({ code: 'BUSBAR_LOGGING_WORKER' });
      const deadline = Date.now() + 5000;
      while (!logging.health().up && Date.now() < deadline) await new Promise((resume) => setTimeout(resume, 5));
    }
    await Promise.all(added);
    const payloads = (await queue.getMessages()).map(({ message }) => message.payload);
    expect(payloads).toEqual(Array.from({ length: 800 }, (_, n) => n));
    expect(logging.health()).toMatchObject({ up: true, restarts: 4, corruptLines: 0, lostLetters: 0 });
    await logging.close();
  });

  it('that cannot write keeps the letters until it can, and health says so', async () => {
    const folder = join(temporaryFolder(), 'logs');
    const logging = Logging.of(folder, join(folder, 'dead_letter'));
    await logging.open();
    const { rmSync, mkdirSync } = await import('node:fs');
    rmSync(join(folder, 'dead_letter'), { recursive: true });
    writeFileSync(join(folder, 'dead_letter'), 'in the way');
    const queue = queueOn(join(folder, 'dead_letter'));
    const added = queue.addMessage({ topic: 'a', payload: 1 }, REPORT);
    const deadline = Date.now() + 5000;
    while (logging.health().unpersisted === 0 && Date.now() < deadline)
      await new Promise((resume) => setTimeout(resume, 5));
    expect(logging.health()).toMatchObject({ unpersisted: 1, up: true });
    expect(logging.health().failedWrites).toBeGreaterThan(0);
    rmSync(join(folder, 'dead_letter'));
    mkdirSync(join(folder, 'dead_letter'));
    await added;
    expect(logging.health().unpersisted).toBe(0);
    expect((await queue.getMessages()).map(({ message }) => message.payload)).toEqual([1]);
    await logging.close();
  });
});

describe('a folder', () => {
  const program = (folder: string, body: string) => [
    '--input-type=module',
    '-e',
    `import { DeadLetterQueue, ErrorLogger } from '${INDEX}';
     const queue = new DeadLetterQueue({ storageDir: ${JSON.stringify(folder)} });
     ${body}`,
  ];
  const env = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' };

  it('that another process owns is refused, with its pid', async () => {
    const folder = temporaryFolder();
    const owner = spawn(process.execPath, program(folder, `await queue.list(); console.log('mine');`), { env });
    await new Promise((resolve) => owner.stdout.once('data', resolve));
    const refused = queueOn(folder);
    await expect(refused.list()).rejects.toMatchObject({
      code: 'BUSBAR_FOLDER_LOCKED',
      message: expect.stringContaining(`process ${owner.pid}`),
    });
    owner.kill('SIGKILL');
    await new Promise((resolve) => owner.once('exit', resolve));
    // Its lock is left behind, and taken over at once.
    expect(await refused.list()).toEqual([]);
  });

  it('lets the process end by itself once all are closed', async () => {
    const body = `
      const logger = new ErrorLogger({ logDir: ${JSON.stringify(temporaryFolder())} });
      await queue.addMessage({ topic: 'a', payload: 1 }, ${JSON.stringify(REPORT)});
      logger.logError(${JSON.stringify(REPORT)});
      await logger.close();
      await queue.close();
      console.log('closed');`;
    const { stdout } = await promisify(execFile)(process.execPath, program(temporaryFolder(), body), {
      env,
      timeout: 10_000,
    });
    expect(stdout).toBe('closed\n');
  });
});
