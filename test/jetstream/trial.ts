// A chaos trial: processes handle messages while they, and the servers, are killed, frozen and cut off.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageBus } from '../../src/index.js';
import { type JetStreamOptions, jetstream } from '../../src/transport/jetstream.js';
import { examine, type Findings, Ledger } from './ledger.js';
import type { NatsServer } from './nats-server.js';
import type { TcpProxy } from './proxy.js';

export type Fault =
  | 'kill process'
  | 'stop process'
  | 'freeze process'
  | 'kill server'
  | 'kill leader'
  | 'freeze server'
  | 'cut connection';

export interface TrialOptions {
  readonly servers: readonly NatsServer[];
  /** Who leads the stream, in a cluster. */
  readonly leader?: () => Promise<NatsServer | undefined>;
  /** Waits until none of them lacks what the others have; false: in vain. */
  readonly hasCaughtUp?: () => Promise<boolean>;
  /** Where processes connect; may be a proxy's. */
  readonly urls: readonly string[];
  readonly proxy?: TcpProxy;
  readonly processes: number;
  readonly messages: number;
  readonly keys: number;
  /** Each list goes its own way: a fault of one may come while one of another lasts. */
  readonly faults: readonly (readonly Fault[])[];
  /** Between two faults of a list, in milliseconds. */
  readonly everyMs: number;
  readonly transport: JetStreamOptions;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly log: (line: string) => void;
  /** How long nothing may go on while something is missing, once all is published and no more faults come, in milliseconds. */
  readonly settleMs: number;
}

/** One message in this many fails once, and one in this many always. */
const FAILS_ONCE = 97;
const FAILS_ALWAYS = 499;
const PUBLISHING_AT_ONCE = 500;

/** Runs one trial. Ends all processes that it started. */
export async function runTrial(options: TrialOptions): Promise<Findings & { readonly seconds: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-trial-'));
  const file = join(folder, 'ledger');
  const ledger = new Ledger(file);
  const { urls, transport, log } = options;
  const startedAt = performance.now();
  const bus = new MessageBus({
    errorLogDir: join(folder, 'log'),
    threads: 1,
    spareThreads: 0,
    transport: jetstream({ ...transport, servers: urls }),
  });
  await bus.start();
  const crew = new Crew(options);
  try {
    await crew.start();
    const isOver = { value: false };
    const chaos = Promise.all(options.faults.map((faults) => wreak(faults, options, crew, isOver)));
    const stored = await publishAll(bus, options, file);
    log(`all ${stored.length} messages are stored`);
    isOver.value = true;
    await chaos;
    const doomed = new Set(stored.filter((n) => n % FAILS_ALWAYS === 0));
    const findings = await settled(bus, options, ledger, stored, doomed);
    return { ...findings, seconds: Math.round((performance.now() - startedAt) / 100) / 10 };
  } finally {
    await crew.stop();
    await bus.stop({ drain: false });
    ledger.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Those that the servers said they stored, in order. */
async function publishAll(bus: MessageBus, { messages, keys }: TrialOptions, ledger: string): Promise<number[]> {
  const stored: number[] = [];
  const running = new Set<Promise<void>>();
  for (let n = 1; n <= messages; n++) {
    const fails = n % FAILS_ALWAYS === 0 ? 'always' : n % FAILS_ONCE === 0 ? 'once' : undefined;
    const payload = { n, ledger, ...(fails === undefined ? {} : { fails }) };
    const one = bus
      .publishAsync('chaos.a', payload, { key: `k${n % keys}`, id: `m${n}` })
      .then(() => void stored.push(n))
      .finally(() => running.delete(one));
    running.add(one);
    if (running.size >= PUBLISHING_AT_ONCE) await Promise.race(running);
  }
  await Promise.all(running);
  return stored;
}

/** Waits until nothing is missing, or nothing more comes. */
async function settled(
  bus: MessageBus,
  { settleMs, log }: TrialOptions,
  ledger: Ledger,
  stored: readonly number[],
  doomed: ReadonlySet<number>,
): Promise<Findings> {
  let latest = 0;
  let handled = -1;
  for (;;) {
    const letters = (await bus.deadLetterQueue?.list().catch(() => [])) ?? [];
    const numbers = letters.map(({ message_id: id }) => Number(id.slice(1)));
    ledger.read();
    const seen = ledger.numbers();
    for (const n of numbers) seen.add(n);
    const missing = stored.filter((n) => !seen.has(n)).length;
    if (ledger.size > handled) latest = performance.now() + settleMs;
    handled = ledger.size;
    const isOver = (missing === 0 && numbers.length >= doomed.size) || performance.now() > latest;
    if (isOver) return examine(stored, doomed, ledger.entries(), numbers);
    log(`${missing} to be handled, ${doomed.size - numbers.length} letters to come`);
    await pause(500);
  }
}

async function wreak(
  faults: readonly Fault[],
  options: TrialOptions,
  crew: Crew,
  isOver: { readonly value: boolean },
): Promise<void> {
  const { everyMs, random, log } = options;
  for (;;) {
    await pause(everyMs * (0.5 + random()));
    if (isOver.value) return;
    const fault = faults[Math.floor(random() * faults.length)] as Fault;
    log(`${fault}`);
    await commit(fault, options, crew);
  }
}

async function commit(fault: Fault, options: TrialOptions, crew: Crew): Promise<void> {
  const { servers, proxy, random, transport, log } = options;
  const server = servers[Math.floor(random() * servers.length)] as NatsServer;
  const frozenMs = (transport.leaseMs ?? 5000) * 2;
  switch (fault) {
    case 'kill process':
      await crew.replace(Math.floor(random() * crew.size));
      break;
    case 'stop process':
      await crew.renew(Math.floor(random() * crew.size));
      break;
    case 'kill server':
      if ((await options.hasCaughtUp?.()) !== false) await bounce(server, random);
      break;
    case 'kill leader': {
      if ((await options.hasCaughtUp?.()) === false) break;
      const leader = await options.leader?.();
      log(leader === undefined ? 'nobody leads the stream now' : `${leader.url} leads the stream`);
      await bounce(leader ?? server, random);
      break;
    }
    case 'freeze process': {
      const thaw = crew.freeze(Math.floor(random() * crew.size));
      await pause(frozenMs);
      thaw();
      break;
    }
    case 'freeze server':
      server.freeze();
      await pause(frozenMs);
      server.thaw();
      break;
    case 'cut connection':
      proxy?.cut();
      break;
    default:
      fault satisfies never;
  }
}

/** As `kill -9`; it is back soon, with what it has on its disk. */
async function bounce(server: NatsServer, random: () => number): Promise<void> {
  await server.kill();
  await pause(200 + 300 * random());
  await server.start();
}

/** The processes of a trial. */
class Crew {
  readonly #options: TrialOptions;
  readonly #members: ChildProcess[] = [];

  constructor(options: TrialOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#members.length;
  }

  async start(): Promise<void> {
    const { processes } = this.#options;
    this.#members.push(...(await Promise.all(Array.from({ length: processes }, () => this.#spawn(true)))));
  }

  /** Ends one as `kill -9` does, and starts another one in its place. */
  async replace(index: number): Promise<void> {
    await ended(this.#members[index] as ChildProcess, 'SIGKILL');
    this.#members[index] = await this.#spawn(false);
  }

  /** Ends one as a new version of it does, and starts another one in its place. */
  async renew(index: number): Promise<void> {
    const member = this.#members[index] as ChildProcess;
    const isEnded = new Promise((done) => member.once('exit', done));
    if (member.exitCode === null && member.signalCode === null) {
      member.stdin?.end();
      await isEnded;
    }
    this.#members[index] = await this.#spawn(false);
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

  /** Where the servers are down, a process that cannot start tries again. */
  async #spawn(isFirst: boolean): Promise<ChildProcess> {
    const { transport, urls, log } = this.#options;
    const program = fileURLToPath(new URL('./consumer.js', import.meta.url));
    for (;;) {
      const args = [program, JSON.stringify({ ...transport, servers: urls })];
      const member = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', isFirst ? 'inherit' : 'ignore'] });
      const isReady = await new Promise<boolean>((answer) => {
        member.stdout?.once('data', () => answer(true));
        member.once('exit', () => answer(false));
      });
      if (isReady) return member;
      log('a process did not start: again');
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

function pause(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms));
}
