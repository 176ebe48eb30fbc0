// Messages that misbehave as each says, and a ledger of what their handlers did.
import { join } from 'node:path';
import type { MessageBus, SubscribeOptions } from '../src/index.js';
import type { Deed } from './fixtures/misbehaves.js';
import misbehaves from './fixtures/misbehaves.js';
import { linesOf, temporaryFolder } from './test-bus.js';

export interface Scene {
  readonly bus: MessageBus;
  /** Publishes one message for each deed, in order; its place is its number. */
  act(...deeds: (string | undefined)[]): Promise<void>;
  /** Numbers of the messages whose handler came to its end, in rising order, repeats included. */
  done(): number[];
  /** How often the handler of a message was started. */
  starts(n: number): number;
}

/** Where an attempt runs past its deadline; on a busy machine, those that do not mean to would do so elsewhere, too. */
export const DEADLINE = { timeoutMs: 300, graceMs: 50, adaptiveTimeout: false } as const;

export async function sceneOf(bus: MessageBus, options: Partial<SubscribeOptions> = {}): Promise<Scene> {
  const ledger = join(temporaryFolder(), 'ledger');
  await bus.subscribe('deeds', misbehaves, {
    subscriberId: 's',
    breaker: false,
    ...options,
  });
  return {
    bus,
    act: async (...deeds) => {
      for (const [n, deed] of deeds.entries()) {
        bus.publish('deeds', { n, ledger, ...(deed === undefined ? {} : { deed }) } satisfies Deed);
      }
      await bus.idle();
    },
    done: () =>
      linesOf(ledger)
        .filter((line) => line.startsWith('done'))
        .map((line) => Number(line.split(' ')[1]))
        .sort((a, b) => a - b),
    starts: (n) => linesOf(ledger).filter((line) => line.startsWith(`start ${n} `)).length,
  };
}
