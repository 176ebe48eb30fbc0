// busbar as it is delivered: accounting, breaker, error handling and log folder, and the law checked at the end.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HandlerLike, MessageBus, type MessageBusOptions, type SubscribeOptions } from '../../src/index.js';
import type { Load } from '../load/payloads.js';
import type { OpenCalls } from './calls.js';
import receives from './receives.js';

const LARGE_BYTES = 64 * 1024;
/** Four messages of 1 MB; a larger ring would not stay in the processor's cache: 16 MB cost half the speed. */
const LARGE_RING_BYTES = 4 * 1024 * 1024;
const LARGE_QUEUE_BYTES = 64 * 1024 * 1024;

/** A started bus in a folder of its own. */
export interface BenchBus {
  readonly bus: MessageBus;
  /**
   * Waits until nothing is pending, checks the accounts, stops the bus and removes its folder.
   *
   * @throws when a delivery is unaccounted for, or did not succeed although `allSucceed`
   */
  close(options?: { readonly allSucceed?: boolean }): Promise<void>;
}

/** One worker thread, unless `options` say otherwise: what the peers have. */
export async function openBus(options: MessageBusOptions = {}): Promise<BenchBus> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-bench-'));
  const bus = new MessageBus({ errorLogDir: folder, threads: 1, ...options });
  await bus.start();
  const close: BenchBus['close'] = async ({ allSucceed = true } = {}) => {
    try {
      await bus.idle();
      assertAccounts(bus, allSucceed);
      await bus.stop();
      assertAccounts(bus, allSucceed);
    } finally {
      await bus.stop({ drain: false });
      rmSync(folder, { recursive: true, force: true });
    }
  };
  return { bus, close };
}

/** A bus with one subscription, under the topic `bench`. */
export async function openSubscribed(
  handler: HandlerLike<never>,
  busOptions: MessageBusOptions = {},
  options: Partial<SubscribeOptions> = {},
): Promise<BenchBus> {
  const opened = await openBus(busOptions);
  await opened.bus.subscribe('bench', handler as HandlerLike<unknown>, { subscriberId: 'bench', ...options });
  return opened;
}

/** A bus whose one subscription receives this load: large bytes as views, with rings that hold some of them. */
export function openReceiving({ payload }: Load, busOptions: MessageBusOptions = {}): Promise<BenchBus> {
  const isLarge = payload instanceof Uint8Array && payload.length >= LARGE_BYTES;
  return openSubscribed(
    receives,
    isLarge ? { ringBytes: LARGE_RING_BYTES, maxQueueBytes: LARGE_QUEUE_BYTES, ...busOptions } : busOptions,
    isLarge ? { bytes: 'view' } : {},
  );
}

/** Calls are requests. */
export function busbarCalls(load: Load): OpenCalls {
  return async () => {
    const { bus, close } = await openReceiving(load);
    return { call: (payload) => bus.request('bench', payload), close };
  };
}

/** The accounting law, and that nothing is pending. */
function assertAccounts(bus: MessageBus, allSucceed: boolean): void {
  for (const subscription of bus.getHealthStatus().subscriptions) {
    const { routed, succeeded, deadLettered, dropped, pending } = subscription;
    const isLawful = pending === 0 && routed === succeeded + deadLettered + dropped;
    if (isLawful && (!allSucceed || routed === succeeded)) continue;
    throw new Error(`the accounts do not agree: ${JSON.stringify(subscription)}`);
  }
}
