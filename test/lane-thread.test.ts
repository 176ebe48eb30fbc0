// The thread under a lane: what handlers leave behind on it, whether its loop stands still, and what it loads.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { AttemptContext, type ContextOutlet } from '../src/shared/context.js';
import type { DeliveryHead } from '../src/shared/delivery.js';
import { Pulse } from '../src/threads/pulse.js';
import misbehaves from './fixtures/misbehaves.js';
import returnsThenables, { returnThenable } from './fixtures/returns-thenables.js';
import setsUp, { mood } from './fixtures/sets-up.js';
import { shareBus } from './shared-bus.js';
import { lettersOf, linesOf, temporaryFolder } from './test-bus.js';

const shared = shareBus();

describe('a thread', () => {
  it('on which a settled handler left a loop is ended, and no message is charged for it', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const options = { timeoutMs: 150, graceMs: 50, breaker: false as const };
    await bus.subscribe('deeds', misbehaves, { subscriberId: 's', ...options });
    await bus.subscribe('others', misbehaves, { subscriberId: 's', ...options });
    bus.publish('deeds', { n: 0, ledger, deed: 'loop after the end' });
    await bus.idle();
    await new Promise((resume) => setTimeout(resume, 20));
    bus.publish('deeds', { n: 1, ledger });
    bus.publish('others', { n: 2, ledger });
    await bus.idle();
    expect(
      linesOf(ledger)
        .filter((line) => line.startsWith('start'))
        .sort(),
    ).toEqual(['start 0 1', 'start 1 1', 'start 2 1']);
    expect(await lettersOf(bus)).toEqual([]);
    expect(shared.replaced()).toBe(1);
  });

  it.each([
    ['a worker', returnsThenables],
    ['the main thread', returnThenable],
  ])('lives on when a handler returns a thenable that throws: %s', async (_where, handler) => {
    const { bus } = shared;
    const retry = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };
    await bus.subscribe('then', handler as typeof returnsThenables, { subscriberId: 's', breaker: false, retry });
    bus.publish('then', 'getter');
    bus.publish('then', 'call');
    expect(await bus.request('then', 'none')).toBe('fine');
    await bus.idle();
    const messages = (await lettersOf(bus)).map(({ error }) => error.message);
    expect(messages.sort()).toEqual(['thrown by the call', 'thrown by the getter']);
    expect(shared.replaced()).toBe(0);
  });

  it('tries a set-up again that has failed there', async () => {
    const { bus } = shared;
    writeFileSync(mood, 'the server is away');
    const failed = bus.subscribe('set-up', setsUp, { subscriberId: 's' });
    await expect(failed).rejects.toMatchObject({ code: 'BUSBAR_HANDLER_LOAD' });
    rmSync(mood);
    await bus.subscribe('set-up', setsUp, { subscriberId: 's' });
    expect(await bus.request('set-up', 1)).toBe(1);
  });
});

describe('a pulse', () => {
  it('stands still for as long as a loop that has a reason to turn does not', () => {
    const pulse = new Pulse();
    expect([1000, 1025, 1050].map((now) => pulse.look(7, true, now))).toEqual([0, 25, 50]);
    expect(pulse.look(8, true, 1075)).toBe(0);
    expect(pulse.look(8, true, 1100)).toBe(25);
    expect(pulse.look(8, false, 1125)).toBe(0);
    expect(pulse.look(8, true, 1150)).toBe(25);
    pulse.reset();
    expect(pulse.look(8, true, 1175)).toBe(0);
  });

  it('is not judged by the time in which main did not look', () => {
    const pulse = new Pulse();
    pulse.look(1, true, 1000);
    pulse.look(1, true, 1010);
    expect(pulse.look(1, true, 60_000)).toBe(110);
  });
});

describe('ids of what handlers publish', () => {
  it('do not grow without end, and are the same at each attempt', () => {
    const outlet = { assertFits: () => undefined, clock: { elapsed: () => 0 } } as unknown as ContextOutlet;
    const publishAs = (id: string): string => {
      const context = new AttemptContext({ id, number: 1, headers: null } as DeliveryHead, 'i', 1, 0, outlet);
      context.publish('a', 1);
      return context.publications?.[0]?.detail.id ?? '';
    };
    expect(publishAs('x')).toBe('x:1');
    let id = 'x';
    const seen = new Set<string>();
    for (let hop = 0; hop < 500; hop++) {
      const next = publishAs(id);
      expect(publishAs(id)).toBe(next);
      expect(next.length).toBeLessThanOrEqual(202);
      seen.add(next);
      id = next;
    }
    expect(seen.size).toBe(500);
  });
});
