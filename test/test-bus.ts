// A started bus for a test: its own folder, short waits, gone afterwards.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { type HealthStatus, MessageBus, type MessageBusOptions, type StoredLetter } from '../src/index.js';

const open: MessageBus[] = [];
const folders: string[] = [];

afterEach(async () => {
  const buses = open.splice(0);
  for (const bus of buses) assertAccounting(bus.getHealthStatus());
  await Promise.all(buses.map((bus) => bus.stop({ drain: false })));
  for (const bus of buses) assertAccounting(bus.getHealthStatus());
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Waits that let a whole sequence of retries pass in well under a second. */
const QUICK_RETRIES: NonNullable<MessageBusOptions['retry']> = {
  message_processing_error: { maxRetries: 2, backoffMs: 5 },
  connection_error: { maxRetries: 3, backoffMs: 5 },
  timeout_error: { maxRetries: 1, backoffMs: 5 },
  serialization_error: { maxRetries: 1, backoffMs: 5 },
};

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = makeFolder();
  folders.push(folder);
  return folder;
}

/** A folder that nobody removes. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'busbar-test-'));
}

/** Not started yet, and nobody stops it. Starting a thread that stands by would cost each bus 50 ms. */
export function makeBus(options: MessageBusOptions & { readonly errorLogDir: string }): MessageBus {
  return new MessageBus({ threads: 1, spareThreads: 0, retry: QUICK_RETRIES, ...options });
}

/** Stopped after the test, and its accounting checked. Where starting is not the point, `shareBus` costs less. */
export async function startBus(options: MessageBusOptions = {}): Promise<MessageBus> {
  const bus = makeBus({ errorLogDir: temporaryFolder(), ...options });
  await bus.start();
  open.push(bus);
  return bus;
}

/**
 * A folder on which a bus stands while the tests of a file run: those that they start there need no thread of their own for
 * its log. Each test finds it without letters; reports stay. Call at the top of a file: it tidies up once all buses have stopped.
 */
export function sharedFolder(): string {
  const folder = makeFolder();
  const keeper = makeBus({ errorLogDir: folder });
  beforeAll(() => keeper.start());
  afterEach(async () => {
    await keeper.deadLetterQueue?.clear();
  });
  afterAll(async () => {
    await keeper.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** The accounting law: routed = succeeded + deadLettered + dropped + pending, for every subscription. */
export function assertAccounting(health: HealthStatus): void {
  for (const { subscriberId, routed, succeeded, deadLettered, dropped, pending } of health.subscriptions) {
    expect({ subscriberId, routed }).toEqual({ subscriberId, routed: succeeded + deadLettered + dropped + pending });
  }
}

/** The accounting of the one subscription of this name. */
export function accountOf(
  bus: MessageBus,
  subscriberId: string,
): Record<'routed' | 'succeeded' | 'deadLettered' | 'dropped' | 'pending', number> {
  const found = bus.getHealthStatus().subscriptions.find((subscription) => subscription.subscriberId === subscriberId);
  if (found === undefined) throw new Error(`no subscription ${subscriberId}`);
  const { routed, succeeded, deadLettered, dropped, pending } = found;
  return { routed, succeeded, deadLettered, dropped, pending };
}

export async function lettersOf(bus: MessageBus): Promise<StoredLetter[]> {
  return (await bus.deadLetterQueue?.getMessages()) ?? [];
}

/** The lines of a file; none when there is no such file. */
export function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}

/** The compiled fixture's URL. */
export function fixture(name: string): URL {
  return new URL(`./fixtures/${name}.js`, import.meta.url);
}
