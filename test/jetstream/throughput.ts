// npm run jetstream:throughput [-- --messages 60000 --warm-up 40000 --rounds 3 --only function]: beside plain clients, in turns and in one run.
//
// All alike: the messages and their sizes, 10 000 of them unsettled at the same time, explicit acknowledgements that nobody waits for
// (`ack()`), one connection with the client's default settings, a process of their own for each contender and round. A plain consumer
// is what the client's documentation has for a steady flow: `consume` with a callback, which asks for more before it runs out.
//
// Each process consumes twice, without a break: first the messages of the warm-up, while its code is being compiled ("cold"), then
// those that are compared. A program that consumes at its full rate does so for hours.
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { Measured } from './contender.js';
import { contenders, PLAIN, PLAIN_AS_MANY } from './contenders.js';
import type { Run } from './laps.js';
import { startServer } from './nats-server.js';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '60000' },
    'warm-up': { type: 'string', default: '40000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
});
const warmUp = Number(values['warm-up']);
const messages = warmUp + Number(values.messages);
const rounds = Number(values.rounds);
const names = Object.keys(contenders).filter(
  (name) => name === PLAIN || name === PLAIN_AS_MANY || name.includes(values.only),
);

const program = fileURLToPath(new URL('./contender.js', import.meta.url));

async function measure(name: string, run: Run): Promise<Measured> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, name, JSON.stringify(run)]);
  // JSON has no NaN.
  return JSON.parse(stdout, (_name, value) => value ?? Number.NaN) as Measured;
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? 0;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

const measured = new Map<string, Measured[]>(names.map((name) => [name, []]));
const server = await startServer();
process.stdout.write(`${availableParallelism()} cores, ${warmUp} messages to warm up, then ${values.messages}\n`);
for (let round = 0; round < rounds; round++) {
  // Each one goes first once in a while: what runs later finds a fuller server.
  const order = [...names.slice(round % names.length), ...names.slice(0, round % names.length)];
  for (const name of order) {
    const stream = `S${round}-${names.indexOf(name)}`;
    const result = await measure(name, { servers: server.url, server: server.pid, stream, messages, warmUp });
    measured.get(name)?.push(result);
    const { publish, cold, warm } = result;
    const costs = `${warm.cost.toFixed(1)} µs each, the server ${warm.serverCost.toFixed(1)} µs, main ${percent(warm.busy)} busy`;
    const consuming = `${Math.round(warm.rate)}/s (${costs}; cold ${Math.round(cold.rate)}/s)`;
    process.stdout.write(`${round + 1}  ${name}: publish ${Math.round(publish)}/s, consume ${consuming}\n`);
  }
}
await server.stop();

process.stdout.write(
  `\nmedians of ${rounds} rounds, and the ratios to plain clients in the same round, with their spread\n`,
);
for (const [name, results] of measured) {
  const median = (of: (result: Measured) => number): number => medianOf(results.map(of));
  const beside = (other: string, of: (result: Measured) => number): string => {
    const ratios = results.map((result, round) => of(result) / of(measured.get(other)?.[round] as Measured));
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    return `${medianOf(ratios).toFixed(2)} of "${other}" (${spread})`;
  };
  const rates: Readonly<Record<string, (result: Measured) => number>> = {
    publish: ({ publish }) => publish,
    consume: ({ warm }) => warm.rate,
    'consume, cold': ({ cold }) => cold.rate,
  };
  const [cost, serverCost] = [median(({ warm }) => warm.cost), median(({ warm }) => warm.serverCost)];
  process.stdout.write(`${name}: ${cost.toFixed(1)} µs each, the server ${serverCost.toFixed(1)} µs\n`);
  for (const [what, of] of Object.entries(rates)) {
    const others = what === 'consume' ? [PLAIN, PLAIN_AS_MANY] : [PLAIN];
    const ratios = others.map((other) => beside(other, of)).join(', ');
    process.stdout.write(`  ${what} ${Math.round(median(of))}/s: ${ratios}\n`);
  }
}
