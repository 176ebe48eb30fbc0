// Kills a process that adds or replays dead letters, at random moments, and looks what is left.

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DeadLetterQueue, type StoredLetter } from '../../src/index.js';
import { Logging } from '../../src/observe/logging.js';
import { randomFrom } from '../random.js';

export interface CrashResult {
  readonly rounds: number;
  /** Letters that were accepted before a kill. */
  readonly accepted: number;
  /** Letters whose replay was told as resolved before a kill. */
  readonly resolved: number;
  readonly tornTails: number;
  /** What went wrong, in words; empty when nothing did. */
  readonly faults: readonly string[];
}

/** A replay is let go on until it has told so much, up to this many lines: on a busy machine that takes long. */
const MOST_LINES = 40;
/** Every `REPLAY_EVERY`th round kills a replay instead; every `CLEAR_EVERY`th removes all letters, which may not come back. */
const REPLAY_EVERY = 3;
const CLEAR_EVERY = 10;

/** @param folder an empty one */
export async function crashRounds(rounds: number, seed: number, folder: string): Promise<CrashResult> {
  const random = randomFrom(seed);
  const faults: string[] = [];
  const letterFolder = join(folder, 'dead_letter');
  mkdirSync(letterFolder, { recursive: true, mode: 0o700 });
  /** Payload numbers by error_id: what has to be there. */
  const expected = new Map<string, string>();
  /** What may be there or not: accepted without being told, handled without being resolved. */
  const gone = new Set<string>();
  let accepted = 0;
  let resolved = 0;
  let tornTails = 0;
  for (let round = 1; round <= rounds; round++) {
    const isReplay = round % REPLAY_EVERY === 0;
    const program = isReplay ? 'replays-letters' : 'adds-letters';
    const output = await runAndKill(
      program,
      [isReplay ? folder : letterFolder, String(round)],
      random,
      isReplay ? MOST_LINES : 1,
    );
    const handled = new Set<string>();
    for (const line of output) {
      const [word = '', rest = ''] = line.split(' ');
      if (!isReplay) {
        accepted++;
        expected.set(word, rest);
      } else if (word === 'handled') handled.add(rest);
      else {
        resolved++;
        expected.delete(rest);
        gone.add(rest);
      }
    }
    const found = await look(folder, letterFolder);
    tornTails += found.tornTails;
    const present = new Map<string, string>();
    for (const { error_id: id, message } of found.letters) {
      if (present.has(id)) faults.push(`round ${round}: letter ${id} is there twice`);
      if (gone.has(id)) faults.push(`round ${round}: letter ${id} was resolved, and is there again`);
      present.set(id, (message.payload as { n: string }).n);
    }
    for (const [id, n] of expected) {
      // A replayed letter may be gone before its end was told, but only if it was handled.
      if (present.get(id) === n || (isReplay && !present.has(id) && handled.has(n))) continue;
      faults.push(`round ${round}: letter ${id} (${n}) is ${present.has(id) ? 'not what it was' : 'lost'}`);
    }
    if (found.corruptLines > 0) faults.push(`round ${round}: ${found.corruptLines} corrupt lines`);
    expected.clear();
    for (const [id, n] of present) expected.set(id, n);
    if (round % CLEAR_EVERY === 0) {
      await purgeAll(letterFolder);
      for (const id of expected.keys()) gone.add(id);
      expected.clear();
    }
  }
  return { rounds, accepted, resolved, tornTails, faults };
}

async function runAndKill(program: string, args: string[], random: () => number, mostLines: number): Promise<string[]> {
  const file = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' },
  });
  let output = '';
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => void child.kill('SIGKILL');
  const lines = 1 + Math.floor(random() * mostLines);
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    // Once it works, or now and then while it starts.
    if (output.split('\n').length > lines) timer ??= setTimeout(kill, random() * 250);
  });
  if (random() < 0.15) timer = setTimeout(kill, random() * 500);
  await new Promise((closed) => child.once('close', closed));
  clearTimeout(timer);
  return output.split('\n').slice(0, -1);
}

async function look(
  folder: string,
  letterFolder: string,
): Promise<{ letters: StoredLetter[]; tornTails: number; corruptLines: number }> {
  const logging = Logging.of(folder, letterFolder);
  const queue = new DeadLetterQueue({ storageDir: letterFolder });
  try {
    const letters = await queue.getMessages();
    const { tornTails, corruptLines } = logging.health();
    const stray = readdirSync(letterFolder).filter((name) => name.endsWith('.corrupt'));
    return { letters, tornTails, corruptLines: corruptLines + stray.length };
  } finally {
    await queue.close();
    await logging.close();
  }
}

async function purgeAll(letterFolder: string): Promise<void> {
  const queue = new DeadLetterQueue({ storageDir: letterFolder });
  await queue.purge({ all: true });
  await queue.close();
}
