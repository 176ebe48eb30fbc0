// One round of chaos: a bus, its subscriptions, and messages that misbehave; everything is checked in the end.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageBus } from '../../src/index.js';
import { Random } from '../random.js';
import { brokenLaw, wrongsOf } from './check.js';
import { Ledger } from './ledger.js';
import misbehaves, { type Order } from './misbehaves.js';
import { type Amounts, type Plan, planOf } from './plan.js';

export interface RoundResult {
  readonly deliveries: number;
  readonly guilty: number;
  readonly threadsReplaced: number;
  readonly snapshots: number;
  readonly seconds: number;
  /** Empty: all is well. */
  readonly wrongs: readonly string[];
}

const SNAPSHOT_MS = 5;
/** A round that stands still for so long will not end by itself. */
const STANDSTILL_MS = 20_000;

export async function runRound(seed: number, amounts: Amounts): Promise<RoundResult> {
  const plan = planOf(new Random(seed), amounts);
  const ledger = Ledger.lay(amounts.deliveries, plan.streams);
  const folder = mkdtempSync(join(tmpdir(), 'busbar-chaos-'));
  const began = performance.now();
  const bus = new MessageBus({ ...plan.bus, errorLogDir: folder });
  const watch = new Watch(bus);
  try {
    await bus.start();
    for (const { topic, options } of plan.subjects) await bus.subscribe(topic, misbehaves, options);
    watch.start();
    await publishAll(bus, plan, watch);
    await watch.untilSettled();
    const letters = (await bus.deadLetterQueue?.getMessages()) ?? [];
    const health = bus.getHealthStatus();
    await bus.errorLogger?.flush();
    const lingering = readLog(folder).filter((line) => line.includes('the lane is held until it is gone')).length;
    if (watch.stuck === undefined) watch.wrongs.push(...wrongsOf(plan, ledger, letters, health, lingering));
    return {
      deliveries: amounts.deliveries,
      guilty: plan.messages.filter(({ deed }) => deed !== undefined).length,
      threadsReplaced: health.threads.replaced,
      snapshots: watch.snapshots,
      seconds: (performance.now() - began) / 1000,
      wrongs: watch.wrongs,
    };
  } finally {
    watch.end();
    await bus.stop({ drain: false });
    watch.look();
    rmSync(folder, { recursive: true, force: true });
  }
}

function readLog(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => name.startsWith('message_bus_errors'));
  return files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
}

async function publishAll(bus: MessageBus, { messages, burst }: Plan, watch: Watch): Promise<void> {
  for (const [n, { subject, priority, key, stream, deed }] of messages.entries()) {
    const order: Order = { n, stream, ...(deed === undefined ? {} : { deed }) };
    const options = key === null ? { priority } : { priority, key };
    if (!bus.publish(subject.topic, order, options)) watch.wrongs.push(`message ${n} was refused`);
    if (n % burst === burst - 1) await bus.ready();
  }
}

/** Looks at the bus's health again and again, and notices when nothing moves any more. */
class Watch {
  readonly #bus: MessageBus;
  readonly wrongs: string[] = [];
  snapshots = 0;
  /** What stands still. */
  stuck: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #settled = -1;
  #movedAt = performance.now();

  constructor(bus: MessageBus) {
    this.#bus = bus;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), SNAPSHOT_MS);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const health = this.#bus.getHealthStatus();
    this.snapshots++;
    this.wrongs.push(...brokenLaw(health).slice(0, 3));
    const settled = health.messagesProcessed + (health.errorStatistics?.totalErrors ?? 0);
    if (settled !== this.#settled) {
      this.#settled = settled;
      this.#movedAt = performance.now();
    } else if (health.mainQueueSize > 0 && performance.now() - this.#movedAt > STANDSTILL_MS) {
      this.stuck ??= JSON.stringify(health.subscriptions.filter(({ pending }) => pending > 0));
    }
  }

  async untilSettled(): Promise<void> {
    const idle = this.#bus.idle();
    let isIdle = false;
    void idle.then(() => {
      isIdle = true;
    });
    while (!isIdle && this.stuck === undefined) {
      await Promise.race([idle, new Promise((resume) => setTimeout(resume, 100))]);
    }
    if (this.stuck !== undefined) this.wrongs.push(`nothing moves any more: ${this.stuck}`);
  }
}
