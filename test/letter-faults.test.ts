// Dead letters when things go wrong: damage, a worker that dies, a disk that refuses, a folder with another owner.
import { execFile, spawn } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { ErrorLogger } from '../src/index.js';
import { Logging } from '../src/observe/logging.js';
import { closed, queueOn, REPORT, segmentsOf } from './letter-queues.js';
import { linesOf, temporaryFolder } from './test-bus.js';

function replaceByCopy(file: string): void {
  copyFileSync(file, `${file}.new`);
  renameSync(`${file}.new`, file);
}

const INDEX = new URL('../src/index.js', import.meta.url).href;

describe('the queue', () => {
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
});

describe('a file of letters', () => {
  it.each([
    ['replaced by a copy', replaceByCopy],
    ['cut by somebody', (file: string) => truncateSync(file, 0)],
    ['written to by somebody', (file: string) => appendFileSync(file, 'not a letter\n')],
  ])('that was %s gets no further letters: those would be lost', async (_how, harm) => {
    const folder = temporaryFolder();
    const first = queueOn(folder);
    await first.addMessage({ topic: 'a', payload: 1 }, REPORT);
    harm(segmentsOf(folder)[0] ?? '');
    await first.addMessage({ topic: 'a', payload: 2 }, REPORT);
    await first.addMessage({ topic: 'a', payload: 3 }, REPORT);
    expect(segmentsOf(folder)).toHaveLength(2);
    expect((await first.getMessages()).map(({ message }) => message.payload).slice(-2)).toEqual([2, 3]);
    await closed(first);
    expect((await queueOn(folder).getMessages()).map(({ message }) => message.payload).slice(-2)).toEqual([2, 3]);
  });
});

describe('the logging worker', () => {
  it('that dies is replaced, and every letter is kept exactly once', async () => {
    const folder = temporaryFolder();
    const logging = Logging.of(folder, folder);
    const queue = queueOn(folder);
    await queue.list();
    const added: Promise<string>[] = [];
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 200; n++) added.push(queue.addMessage({ topic: 'a', payload: round * 200 + n }, REPORT));
      // It dies without answering.
      await expect(logging.ask((worker) => worker.die())).rejects.toMatchObject({ code: 'BUSBAR_LOGGING_WORKER' });
      const deadline = Date.now() + 5000;
      while (!logging.health().up && Date.now() < deadline) await new Promise((resume) => setTimeout(resume, 5));
    }
    await Promise.all(added);
    const payloads = (await queue.getMessages()).map(({ message }) => message.payload);
    expect(payloads).toEqual(Array.from({ length: 400 }, (_, n) => n));
    expect(logging.health()).toMatchObject({ up: true, restarts: 2, corruptLines: 0, lostLetters: 0 });
    await logging.close();
  });

  it('that cannot write keeps the letters until it can, and health says so', async () => {
    const folder = join(temporaryFolder(), 'logs');
    const logging = Logging.of(folder, join(folder, 'dead_letter'));
    await logging.open();
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

  it('that another process holds for a moment only is waited for', async () => {
    const folder = temporaryFolder();
    const body = `await brief.list(); console.log('mine'); setTimeout(() => brief.close(), 300);`;
    const made = `const brief = new DeadLetterQueue({ storageDir: ${JSON.stringify(folder)}, brief: true });`;
    const owner = spawn(process.execPath, program(temporaryFolder(), made + body), { env });
    await new Promise((resolve) => owner.stdout.once('data', resolve));
    expect(await queueOn(folder).list()).toEqual([]);
    owner.kill('SIGKILL');
  });

  it('is shared by a logger and a queue of this process, whichever comes first, with what each was told', async () => {
    for (const isLoggerFirst of [true, false]) {
      const folder = temporaryFolder();
      const logger = new ErrorLogger({ logDir: folder, redact: { paths: ['pin'] } });
      const log = () => logger.logError({ ...REPORT, context: { pin: 'hidden' } });
      if (isLoggerFirst) {
        log();
        await logger.flush();
      }
      const queue = queueOn(folder, { maxLetters: 2 });
      for (let n = 0; n < 4; n++) await queue.addMessage({ topic: 'a', payload: n }, REPORT);
      log();
      await logger.flush();
      expect(segmentsOf(folder)).toHaveLength(1);
      expect((await queue.getMessages()).map(({ message }) => message.payload)).toEqual([2, 3]);
      const logged = linesOf(join(folder, 'message_bus_errors.json'));
      expect(logged.length).toBeGreaterThan(0);
      expect(logged.join()).not.toContain('hidden');
      await logger.close();
      expect(await queue.list()).toHaveLength(2);
    }
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
