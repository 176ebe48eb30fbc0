// npm run jetstream:chaos [-- --cluster --messages 60000 --kills 8 --seed 1]: the chaos trial. Exit code 1: a promise was broken, or faults were left out.

import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { randomFrom } from '../random.js';
import { Cluster } from './cluster.js';
import type { Fault } from './faults.js';
import { binary, startServer } from './nats-server.js';
import { TcpProxy } from './proxy.js';
import { runTrial } from './trial.js';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '60000' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    processes: { type: 'string', default: '3' },
    /** Faults of servers, and as many of processes at the same time. */
    kills: { type: 'string', default: '8' },
    every: { type: 'string', default: '3000' },
    cluster: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const cluster = values.cluster ? await Cluster.start(3) : undefined;
const servers = cluster?.servers ?? [await startServer()];
const proxy = new TcpProxy(servers[0]?.port ?? 0);
await proxy.listen();
const single: readonly (readonly Fault[])[] = [
  ['kill process', 'stop process', 'freeze process'],
  ['kill server', 'freeze server', 'cut connection'],
];
const clustered: readonly (readonly Fault[])[] = [
  ['kill process', 'stop process'],
  ['kill leader', 'kill server'],
];
const courses = values.cluster ? clustered : single;
const log = (line: string): void => void process.stdout.write(`${(performance.now() / 1000).toFixed(1)} s  ${line}\n`);
const version = execFileSync(binary ?? '', ['--version'], { encoding: 'utf8' }).trim();
log(`seed ${seed}, ${values.messages} messages, ${servers.length} servers, ${version}`);
const findings = await runTrial({
  servers,
  leader: async () => cluster?.leaderOf('CHAOS'),
  ...(cluster === undefined ? {} : { hasCaughtUp: () => cluster.hasCaughtUp() }),
  urls: values.cluster ? servers.map(({ url }) => url) : [`127.0.0.1:${proxy.port}`],
  proxy,
  processes: Number(values.processes),
  messages: Number(values.messages),
  keys: 1000,
  courses: courses.map((kinds) => ({ kinds, count: Number(values.kills) })),
  everyMs: Number(values.every),
  transport: {
    stream: 'CHAOS',
    leaseMs: 1500,
    ackWaitMs: 1500,
    pingMs: 500,
    maxReconnectMs: 500,
    maxDeliver: 100,
    replicas: values.cluster ? 3 : 1,
  },
  random: randomFrom(seed),
  log,
  settleMs: 30_000,
});
await proxy.close();
await Promise.all(servers.map((server) => server.stop()));
const { lost, unmarked, disordered, wrongLetters, blamed, ...counts } = findings;
const committed = Object.values(findings.dose).reduce((sum, times) => sum + times, 0);
process.stdout.write(`${JSON.stringify(counts)}\n`);
const late = disordered.map(({ n, after }) => `${n} after ${after}`);
for (const [what, broken] of Object.entries({ lost, unmarked, disordered: late, wrongLetters })) {
  process.stdout.write(`${what}: ${broken.length} ${broken.slice(0, 10).join(', ')}\n`);
}
for (const line of blamed) process.stdout.write(`${line}\n`);
const isKept = [lost, unmarked, disordered, wrongLetters].every(({ length }) => length === 0);
// Fewer faults prove less: servers that never catch up are spared all of theirs.
const isWhole = committed === courses.length * Number(values.kills);
if (!isWhole) process.stdout.write(`only ${committed} of ${courses.length * Number(values.kills)} faults\n`);
process.exit(isKept && isWhole ? 0 : 1);
