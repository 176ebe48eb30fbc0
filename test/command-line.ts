// Runs the command line: as a process of its own, or quickly, in the process of the test.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { runCommandLine } from '../src/cli/run.js';

/** The bin. */
export const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

/** How a command ended, and what it said. */
export interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

let last: Promise<unknown> = Promise.resolve();

/** All that the bin does, but for ending the process. One after the other: what is said is caught process-wide. */
export function busbar(...args: string[]): Promise<Ended> {
  const mine = last.then(() => runHere(args));
  last = mine;
  return mine;
}

async function runHere(args: readonly string[]): Promise<Ended> {
  const said = { out: '', err: '' };
  const catcher = (to: 'out' | 'err') => (text: unknown) => {
    said[to] += text;
    return true;
  };
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation(catcher('out')),
    jest.spyOn(process.stderr, 'write').mockImplementation(catcher('err')),
  ];
  try {
    const exit = await runCommandLine(args);
    return { exit, ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** The real bin; nobody sits at its terminal. */
export function busbarProcess(...args: string[]): Promise<Ended> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.err += text;
    });
    child.once('error', reject);
    child.once('close', (exit) => resolve({ exit, ...said }));
  });
}

/** Everything that a terminal could act on, but for the ends of lines. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
export const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
