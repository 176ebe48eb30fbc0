// What a process that takes a partition over knows of messages that were given back before.
import { expect, it } from '@jest/globals';
import { SteppedClock } from '../src/testing/index.js';
import type { Connection } from '../src/transport/connection.js';
import type { Brought } from '../src/transport/delivered.js';
import { type LeaseRecord, readLease, takeLease } from '../src/transport/lease.js';
import { type Past, pastOf, returnedOf } from '../src/transport/past.js';

/** Takes a partition whose record says this; sequence 5 was delivered `count` times by what the server knows. */
async function pastAfter(
  isReleased: boolean,
  count: number,
): Promise<Past & { readonly next: LeaseRecord | undefined }> {
  let written = '';
  const link = {
    write: async (_subject: string, data: string) => {
      written = data;
      return 2;
    },
    read: async () => ({ sequence: 2, data: Buffer.from(written) }),
  };
  const parts = { connection: link as unknown as Connection, clock: new SteppedClock(), stream: 's', subject: 'x' };
  const returned = new Map([[5, returnedOf(1, { vanished: 0, started: 0 })]]);
  const record = { holder: 'before', mark: 9, isReleased, returned };
  const taking = { ...parts, instance: 'after', leaseMs: 1000 };
  const lease = await takeLease(taking, { revision: 1, record });
  const delivery = { sequence: 5, count, number: 1, stamp: 0 };
  const brought = { delivery, message: { subject: 'x', data: Buffer.of() }, reply: '', data: Buffer.of(2) };
  const past = pastOf(brought, lease?.returned ?? new Map(), lease?.mark ?? 0);
  return { ...past, next: (await readLease(taking))?.record };
}

it('counts no attempt for a message that was given back unstarted, with its partition', async () => {
  const { vanished, started, next } = await pastAfter(true, 2);
  expect({ vanished, started }).toEqual({ vanished: 0, started: 0 });
  expect(next?.returned.get(5)?.mayHaveStarted).toBe(false);
});

it('counts one where the next holder has vanished since, also if the server has forgotten that it delivered it', async () => {
  for (const [count, vanished] of [
    [1, 0],
    [2, 0],
    [3, 1],
  ] as const) {
    const past = await pastAfter(false, count);
    expect(past).toMatchObject({ vanished, started: 1 });
    // Whoever comes next knows that, too.
    expect(past.next?.returned.get(5)?.mayHaveStarted).toBe(true);
  }
});

it('counts one for what a process vanished with, also if it is given back and the server has forgotten all of it', () => {
  const brought = (count: number): Brought => {
    const delivery = { sequence: 5, count, number: 1, stamp: 0 };
    return { delivery, message: { subject: 'x', data: Buffer.of() }, reply: '', data: Buffer.of(2) };
  };
  const before = pastOf(brought(2), new Map(), 9);
  expect(before).toEqual({ vanished: 1, started: 1 });
  const notes = new Map([[5, returnedOf(2, before)]]);
  expect(pastOf(brought(3), notes, 9)).toEqual({ vanished: 1, started: 1 });
  expect(pastOf(brought(1), notes, 9)).toEqual({ vanished: 0, started: 1 });
});
