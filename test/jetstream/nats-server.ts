// A nats-server for a test: on a free loopback port, with a store of its own, gone afterwards.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY_MS = 10_000;
/** A process that is told to stand still does within this time, in milliseconds. */
const STOPPED_MS = 5;

const chosen = process.env['BUSBAR_NATS_SERVER'];
const PLACES = chosen === undefined ? ['nats-server', '/usr/sbin/nats-server', '/usr/local/bin/nats-server'] : [chosen];

/** Where nats-server is: the one that BUSBAR_NATS_SERVER names, or that of this machine; undefined: nowhere. */
export const binary = PLACES.find((path) => {
  try {
    execFileSync(path, ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
});

interface NatsOptions {
  /** More arguments of nats-server. */
  readonly args?: readonly string[];
  /** The text of a configuration file. */
  readonly config?: string;
}

/** Keeps its port and its store when it is killed and started again. */
export class NatsServer {
  readonly port: number;
  #args: readonly string[];
  readonly #store = mkdtempSync(join(tmpdir(), 'busbar-nats-'));
  #process: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  static async start({ args = [], config }: NatsOptions = {}): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), args);
    if (config !== undefined) server.#configure(config);
    await server.start();
    return server;
  }

  get url(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Its process id; 0: it does not run. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async start(): Promise<void> {
    if (binary === undefined) throw new Error('there is no nats-server');
    const args = ['-a', '127.0.0.1', '-p', String(this.port), '-js', '-sd', this.#store, ...this.#args];
    this.#process = spawn(binary, args, { stdio: 'ignore' });
    await isListening(this.port);
  }

  /**
   * As `kill -9`, but not between two steps of one write: nats-server 2.9 empties the file of a consumer's state before it
   * writes it, and one that finds it empty removes messages that were not brought, whatever its clients do.
   */
  async kill(): Promise<void> {
    for (;;) {
      this.freeze();
      await pause(STOPPED_MS);
      if (this.#statesAreWhole()) break;
      this.thaw();
      await pause(STOPPED_MS);
    }
    await this.#end('SIGKILL');
  }

  #statesAreWhole(): boolean {
    const files = readdirSync(this.#store, { recursive: true, encoding: 'utf8' });
    const states = files.filter((file) => file.endsWith('o.dat'));
    return states.every((file) => statSync(join(this.#store, file)).size > 0);
  }

  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Ends it, and removes its store. */
  async stop(): Promise<void> {
    this.thaw();
    await this.#end('SIGKILL');
    rmSync(this.#store, { recursive: true, force: true });
  }

  #configure(text: string): void {
    const file = join(this.#store, 'server.conf');
    writeFileSync(file, text);
    this.#args = ['-c', file, ...this.#args];
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const ending = this.#process;
    this.#process = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    await new Promise<void>((ended) => {
      ending.once('exit', () => ended());
      ending.kill(signal);
    });
  }
}

/** Ended after use with `stop`. */
export function startServer(): Promise<NatsServer> {
  return NatsServer.start();
}

/** Free on loopback, a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function isListening(port: number): Promise<void> {
  const latest = Date.now() + READY_MS;
  while (!(await canConnect(port))) {
    if (Date.now() > latest) throw new Error(`nats-server does not listen on port ${port}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

/** A server that says who it is, is ready. */
function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (isReady: boolean): void => {
      socket.destroy();
      resolve(isReady);
    };
    socket.once('data', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms));
}
