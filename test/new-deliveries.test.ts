// A delivery that nobody has kept is used again, and one that somebody keeps never is.

import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { NewDeliveries } from '../src/new-deliveries.js';
import { systemClock } from '../src/shared/clock.js';
import { Codec } from '../src/shared/message.js';
import { ReplyReader, writeReply } from '../src/shared/reply.js';
import { allocateRing, RingReader, RingWriter } from '../src/shared/ring.js';
import tallies from './fixtures/tallies.js';
import { shareBus } from './shared-bus.js';
import { lettersOf, linesOf, temporaryFolder } from './test-bus.js';

const shared = shareBus({});
const encoded = (byte: number) => ({ codec: Codec.UINT8, bytes: new Uint8Array([byte]), lossy: false });

describe('deliveries of what is published', () => {
  it('are made of one another once they are given back, and say nothing of the one before', () => {
    const deliveries = new NewDeliveries(systemClock, 1024, 4096);
    const options = { id: 'an id', key: 'k', headers: { h: '1' }, priority: 'high', ttlMs: 1000 } as const;
    const first = deliveries.make('first', { ...encoded(1), lossy: true }, options, true);
    deliveries.reuse(first);
    const second = deliveries.make('second', encoded(2), {});
    expect(second).toBe(first);
    expect(second).toEqual({
      number: 1,
      id: '',
      topic: 'second',
      key: null,
      priority: 'normal',
      headers: null,
      publishedAt: expect.any(Number),
      expiresAt: 0,
      codec: Codec.UINT8,
      bytes: new Uint8Array([2]),
      lossy: false,
      wantsReply: false,
      started: 0,
      failed: 0,
      kills: 0,
      timeouts: 0,
    });
  });

  it('keep nothing of the payload of one that was given back', () => {
    const deliveries = new NewDeliveries(systemClock, 1024, 4096);
    const delivery = deliveries.make('a', encoded(1), {});
    deliveries.reuse(delivery);
    expect(delivery.bytes).toHaveLength(0);
  });

  it('are new ones while others are not given back', () => {
    const deliveries = new NewDeliveries(systemClock, 1024, 4096);
    const kept = deliveries.make('kept', encoded(1), {});
    const other = deliveries.make('other', encoded(2), {});
    expect(other).not.toBe(kept);
    expect(kept).toMatchObject({ topic: 'kept', number: 0 });
  });
});

describe('messages for several subscriptions of which one refuses', () => {
  it('reach the others, and their letters keep what was theirs', async () => {
    const { bus } = shared;
    const file = join(temporaryFolder(), 'tally');
    const refusing = await bus.subscribe('both', tallies, {
      subscriberId: 'refuses',
      maxQueueSize: 1,
      overflow: 'dead-letter',
    });
    refusing.pause();
    await bus.subscribe('both', tallies, { subscriberId: 'takes' });
    for (let n = 0; n < 4; n++) bus.publish('both', { n, file }, { key: `k${n}` });
    refusing.resume();
    await bus.idle();
    const kept = (await lettersOf(bus)).map(({ message: { key, payload } }) => [key, payload]);
    expect(kept.sort()).toEqual([1, 2, 3].map((n) => [`k${n}`, { n, file }]));
    expect(linesOf(file).map(Number).sort()).toEqual([0, 0, 1, 2, 3]);
  });
});

it('a reply that came in parts is in an object of its own, which nobody keeps beyond it', () => {
  const memory = allocateRing(1024);
  const writer = new RingWriter(memory);
  const outbox = new RingReader(memory);
  const replies = new ReplyReader(outbox.bytes);
  const read = () => replies.read(outbox, outbox.next(), () => Buffer.from('parts'));
  for (const payload of [Buffer.from('one'), null, Buffer.from('another')])
    writeReply(writer, 7, Codec.BUFFER, payload);
  const small = read();
  const { memory: parts, ...large } = read();
  expect([parts.toString(), large]).toEqual([
    'parts',
    { number: 7, codec: Codec.BUFFER, value: undefined, words: null, start: 0, end: 5 },
  ]);
  expect(small.memory).toBe(outbox.bytes);
  expect(read()).toBe(small);
  expect(small.memory.toString('utf8', small.start, small.end)).toBe('another');
});
