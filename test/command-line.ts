// Runs the real command line as a process of its own.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The bin. */
export const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

/** How a command ended, and what it said. */
export interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

/** Nobody sits at its terminal. */
export function busbar(...args: string[]): Promise<Ended> {
  return run(args, {});
}

/** The same with more in its environment. */
busbar.with =
  (env: NodeJS.ProcessEnv) =>
  (...args: string[]): Promise<Ended> =>
    run(args, env);

function run(args: readonly string[], more: NodeJS.ProcessEnv): Promise<Ended> {
  const env = { ...process.env, NODE_OPTIONS: '', TZ: 'UTC', ...more };
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
