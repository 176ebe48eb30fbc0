// A chaos trial: processes handle messages while they, and the servers, are killed, frozen and cut off.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageBus } from '../../src/index.js';
import { jetstream } from '../../src/transport/jetstream.js';
import { blame } from './blame.js';
import { Crew, type CrewOptions, pause } from './crew.js';
import { deliveriesIn } from './deliveries.js';
import { commitAll, type Dose, type FaultOptions } from './faults.js';
import { examine, type Findings, Ledger } from './ledger.js';
import { Wiretap } from './wiretap.js';

export interface TrialOptions extends CrewOptions, FaultOptions {
  /** At least so many are published; more, a few at a time, while faults are to come. */
  readonly messages: number;
  readonly keys: number;
  /** How long nothing may go on while something is missing, once all is published and no more faults come, in milliseconds. */
  readonly settleMs: number;
}

export interface Trial extends Findings {
  readonly dose: Dose;
  readonly seconds: number;
  /** What was heard beside busbar of what went wrong. */
  readonly blamed: readonly string[];
}

/** One message in this many fails once, and one in this many always. */
const FAILS_ONCE = 97;
const FAILS_ALWAYS = 499;
const PUBLISHING_AT_ONCE = 500;
/** Between two messages beyond those that were asked for, in milliseconds. */
const FURTHER_MS = 2;
/** How long a message that comes again takes to be handled, in milliseconds. */
const REPEATED_MS = 500;

/** Runs one trial. Ends all processes that it started. */
export async function runTrial(options: TrialOptions): Promise<Trial> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-trial-'));
  const file = join(folder, 'ledger');
  const ledger = new Ledger(file);
  const { urls, transport, servers, log } = options;
  const startedAt = performance.now();
  const bus = new MessageBus({
    errorLogDir: join(folder, 'log'),
    threads: 1,
    spareThreads: 0,
    transport: jetstream({ ...transport, servers: urls }),
  });
  await bus.start();
  const tap = await Wiretap.on(servers, transport.stream as string);
  const notes = join(folder, 'deliveries');
  const crew = new Crew(options, notes);
  try {
    await crew.start();
    let isOver = false;
    const committing = commitAll(options, crew).finally(() => {
      isOver = true;
    });
    const [dose, stored] = await Promise.all([committing, publishAll(bus, options, file, () => isOver)]);
    log(`all ${stored.length} messages are stored`);
    const doomed = new Set(stored.filter((n) => n % FAILS_ALWAYS === 0));
    const findings = await settled(bus, options, ledger, stored, doomed);
    const blamed = await blame(findings, tap, deliveriesIn(notes));
    return { ...findings, dose, blamed, seconds: Math.round((performance.now() - startedAt) / 100) / 10 };
  } finally {
    await crew.stop();
    await tap.close();
    await bus.stop({ drain: false });
    ledger.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Those that the servers said they stored, in order. Goes on until all that were asked for are, and `isOver`. */
async function publishAll(
  bus: MessageBus,
  { messages, keys }: TrialOptions,
  ledger: string,
  isOver: () => boolean,
): Promise<number[]> {
  const stored: number[] = [];
  const running = new Set<Promise<void>>();
  for (let n = 1; n <= messages || !isOver(); n++) {
    const fails = n % FAILS_ALWAYS === 0 ? 'always' : n % FAILS_ONCE === 0 ? 'once' : undefined;
    const payload = { n, ledger, ...(fails === undefined ? {} : { fails }) };
    const one = bus
      .publishAsync('chaos.a', payload, { key: `k${n % keys}`, id: `m${n}` })
      .then(() => void stored.push(n))
      .finally(() => running.delete(one));
    running.add(one);
    if (n > messages) await pause(FURTHER_MS);
    if (running.size >= PUBLISHING_AT_ONCE) await Promise.race(running);
  }
  await Promise.all(running);
  return stored;
}

/** Waits until nothing is missing, and what comes again has come; or until nothing more comes. */
async function settled(
  bus: MessageBus,
  { settleMs, transport, log }: TrialOptions,
  ledger: Ledger,
  stored: readonly number[],
  doomed: ReadonlySet<number>,
): Promise<Findings> {
  let latest = 0;
  let handled = -1;
  let isLate = false;
  for (;;) {
    const letters = (await bus.deadLetterQueue?.list().catch(() => [])) ?? [];
    const numbers = letters.map(({ message_id: id }) => Number(id.slice(1)));
    ledger.read();
    const seen = ledger.numbers();
    for (const n of numbers) seen.add(n);
    const missing = stored.filter((n) => !seen.has(n)).length;
    if (ledger.size > handled) latest = performance.now() + settleMs;
    handled = ledger.size;
    const isWhole = missing === 0 && numbers.length >= doomed.size;
    if ((isWhole && isLate) || performance.now() > latest) {
      return examine(stored, doomed, ledger.entries(), numbers);
    }
    if (isWhole) {
      // What was handled and is not acknowledged comes again only now.
      isLate = true;
      await pause(REPEATED_MS + (transport.ackWaitMs ?? 10_000));
      continue;
    }
    log(`${missing} to be handled, ${doomed.size - numbers.length} letters to come`);
    await pause(500);
  }
}
