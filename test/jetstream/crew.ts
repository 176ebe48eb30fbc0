// The processes of a chaos trial: started, killed, renewed and frozen.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { JetStreamOptions } from '../../src/transport/jetstream.js';

export interface CrewOptions {
  /** How many there are at any time. */
  readonly processes: number;
  /** Where they connect. */
  readonly urls: readonly string[];
  readonly transport: JetStreamOptions;
  readonly log: (line: string) => void;
}

/** What a process says of its end: no more of it, in characters. */
const MOST_SAID = 300;

/** The processes of a trial. */
export class Crew {
  readonly #options: CrewOptions;
  readonly #notes: string;
  readonly #members: ChildProcess[] = [];

  /** @param notes the file into which they write what they were brought: see {@link noting} */
  constructor(options: CrewOptions, notes: string) {
    this.#options = options;
    this.#notes = notes;
  }

  get size(): number {
    return this.#members.length;
  }

  async start(): Promise<void> {
    const { processes } = this.#options;
    this.#members.push(...(await Promise.all(Array.from({ length: processes }, () => this.#spawn()))));
  }

  /** Ends one as `kill -9` does, and starts another one in its place. */
  async replace(index: number): Promise<void> {
    await ended(this.#members[index] as ChildProcess, 'SIGKILL');
    this.#members[index] = await this.#spawn();
  }

  /** Ends one as a new version of it does, and starts another one in its place. */
  async renew(index: number): Promise<void> {
    const member = this.#members[index] as ChildProcess;
    const isEnded = new Promise((done) => member.once('exit', done));
    if (member.exitCode === null && member.signalCode === null) {
      member.stdin?.end();
      await isEnded;
    }
    this.#members[index] = await this.#spawn();
  }

  /** Returns what lets it go on. */
  freeze(index: number): () => void {
    const member = this.#members[index] as ChildProcess;
    member.kill('SIGSTOP');
    return () => member.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.splice(0).map((member) => ended(member, 'SIGKILL')));
  }

  /** A process that cannot start says why, and another one tries again. */
  async #spawn(): Promise<ChildProcess> {
    const { transport, urls, log } = this.#options;
    const program = fileURLToPath(new URL('./consumer.js', import.meta.url));
    for (;;) {
      const args = [program, JSON.stringify({ ...transport, servers: urls }), this.#notes];
      const member = spawn(process.execPath, args, { stdio: 'pipe' });
      let said = '';
      member.stderr.on('data', (text) => {
        said = `${said}${text}`.slice(0, 10 * MOST_SAID);
      });
      const isReady = await new Promise<boolean>((answer) => {
        member.stdout.once('data', () => answer(true));
        member.once('close', () => answer(false));
      });
      if (isReady) return member;
      const why = /^\w*Error.*$/m.exec(said)?.[0] ?? said;
      log(`a process did not start: ${why.slice(0, MOST_SAID)}`);
      await pause(200);
    }
  }
}

async function ended(member: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (member.exitCode !== null || member.signalCode !== null) return;
  await new Promise<void>((done) => {
    member.once('exit', () => done());
    member.kill(signal);
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms));
}
