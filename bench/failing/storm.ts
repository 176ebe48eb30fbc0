// How many failed attempts a second a bus takes in its stride, with what the machine itself allows beside it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageBus } from '../../src/index.js';
import { systemClock } from '../../src/shared/clock.js';
import type { Figure } from './figure.js';
import throws from './throws.js';

const PAYLOAD_BYTES = 64;
/** Each message fails this often, and is then discarded. */
const ATTEMPTS = 10;
/** Deliveries that are pending at any time. */
const PENDING = 4000;
const WARM_UP_MS = 2000;
/** A stack holds ten at most. */
const FRAMES = 10;

/** Makes errors in a bare loop on this thread, with as many frames as a handler has: nothing that throws can be faster. */
export function bareErrors(seconds = 1): Figure[] {
  const end = systemClock.elapsed() + seconds * 1000;
  let made = 0;
  let characters = 0;
  const started = systemClock.elapsed();
  while (systemClock.elapsed() < end) {
    for (let n = 0; n < 100; n++) characters += deepError(n, FRAMES);
    made += 100;
  }
  if (characters === 0) throw new Error('the errors were optimized away');
  const perSecond = made / ((systemClock.elapsed() - started) / 1000);
  return [{ name: 'bare loop of new Error, with its stack', value: perSecond, unit: 'errors/s' }];
}

function deepError(n: number, frames: number): number {
  if (frames > 0) return deepError(n, frames - 1) + 1;
  return new Error(`nothing to be done about ${n} bytes`).message.length;
}

/** Lets every attempt at every message fail for `seconds`, as fast as it goes. */
export async function failing(seconds = 10): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-failing-'));
  const bus = new MessageBus({ errorLogDir: folder, threads: 1, spareThreads: 0, retryBudget: false });
  await bus.start();
  await bus.subscribe('failing', throws, {
    subscriberId: 'failing',
    breaker: false,
    ordering: 'none',
    retry: { message_processing_error: { maxRetries: ATTEMPTS - 1, backoffMs: 0 } },
    whenExhausted: 'discard',
  });
  const feeder = new Feeder(bus);
  feeder.start();
  await sleep(WARM_UP_MS);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const delayOfSecond = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  delayOfSecond.enable();
  const delays: number[] = [];
  const memory: number[] = [];
  const [failedBefore, started] = [failedIn(bus), systemClock.elapsed()];
  for (let second = 0; second < seconds; second++) {
    await sleep(1000);
    memory.push(process.memoryUsage().rss);
    delays.push(delayOfSecond.percentile(99));
    delayOfSecond.reset();
  }
  const failed = failedIn(bus) - failedBefore;
  const elapsed = (systemClock.elapsed() - started) / 1000;
  delay.disable();
  delayOfSecond.disable();
  feeder.stop();
  await bus.stop({ drain: false });
  rmSync(folder, { recursive: true, force: true });
  return [
    { name: 'failed attempts', value: failed / elapsed, unit: 'attempts/s' },
    { name: "main's event-loop delay, p99", value: delay.percentile(99) / 1e6, unit: 'ms' },
    { name: "main's event-loop delay, longest", value: delay.max / 1e6, unit: 'ms' },
    ...inThirds("main's event-loop delay, p99 of a second", delays, 1e6, 'ms'),
    ...inThirds('memory', memory, 2 ** 20, 'MiB'),
  ];
}

/** The medians of the beginning, the middle and the end. */
function inThirds(name: string, samples: readonly number[], perUnit: number, unit: string): Figure[] {
  return (['begin', 'middle', 'end'] as const).map((when, which) => ({
    name: `${name}, ${when}`,
    value: third(samples, which) / perUnit,
    unit,
  }));
}

/** Keeps a number of deliveries pending. */
class Feeder {
  readonly #bus: MessageBus;
  readonly #payload = new Uint8Array(PAYLOAD_BYTES);
  #timer: NodeJS.Timeout | undefined;

  constructor(bus: MessageBus) {
    this.#bus = bus;
  }

  start(): void {
    const pending = this.#bus.getHealthStatus().mainQueueSize;
    for (let n = pending; n < PENDING; n++) this.#bus.publish('failing', this.#payload);
    this.#timer = setTimeout(() => this.start(), 2);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function failedIn(bus: MessageBus): number {
  const { errorStatistics } = bus.getHealthStatus();
  return errorStatistics?.totalErrors ?? 0;
}

/** The median of one third of the samples. */
function third(samples: readonly number[], which: number): number {
  const size = Math.ceil(samples.length / 3);
  const part = samples.slice(which * size, (which + 1) * size).sort((a, b) => a - b);
  return part[part.length >> 1] ?? Number.NaN;
}
