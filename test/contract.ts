// The promises of delivery, as a suite that every transport must keep; a promise that one cannot keep is skipped by name.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deadLetter, discard, type HandlerContext, type MessageBus, retryLater } from '../src/index.js';
import type { Contender, PromiseName } from './contract-words.js';
import doubles from './fixtures/doubles.js';
import exits from './fixtures/exits.js';
import { accountOf, assertAccounting } from './test-bus.js';

interface Seen {
  readonly payload: unknown;
  readonly context: Pick<HandlerContext, 'id' | 'topic' | 'key' | 'headers' | 'priority' | 'publishedAt' | 'attempt'>;
}

const NOT_RETRIED = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };

export function contractOf(contender: Contender): void {
  describe(`the promises of delivery, by ${contender.name}`, () => {
    let bus: MessageBus;
    const started: MessageBus[] = [];

    const start = async (place?: string): Promise<MessageBus> => {
      const one = await contender.start(place);
      started.push(one);
      return one;
    };

    beforeAll(async () => {
      bus = await start();
    });

    afterAll(async () => {
      for (const one of started) assertAccounting(one.getHealthStatus());
      await Promise.all(started.map((one) => one.stop({ drain: false })));
      for (const one of started) assertAccounting(one.getHealthStatus());
    });

    const promise = (name: PromiseName, run: () => Promise<void>): void => {
      const reason = contender.cannot[name];
      if (reason === undefined) it(name, run);
      else it.skip(`${name} (cannot: ${reason})`, run);
    };

    /** What a plain handler of this pattern sees. */
    const watch = async (on: MessageBus, pattern: string, subscriberId: string): Promise<Seen[]> => {
      const seen: Seen[] = [];
      const see = (payload: unknown, context: HandlerContext): void => {
        const { id, topic, key, headers, priority, publishedAt, attempt } = context;
        seen.push({ payload, context: { id, topic, key, headers, priority, publishedAt, attempt } });
      };
      await on.subscribe(pattern, see, { subscriberId });
      return seen;
    };

    promise('accounting', async () => {
      const handle = (payload: unknown): void => {
        if (payload === 'bad') throw new Error('bad');
        if (payload === 'unwanted') throw discard('unwanted');
      };
      await bus.subscribe('law.*', handle, { subscriberId: 'law', retry: NOT_RETRIED });
      for (const payload of ['good', 'bad', 'unwanted', 'good']) bus.publish('law.a', payload);
      await bus.idle();
      const account = { routed: 4, succeeded: 2, deadLettered: 1, dropped: 1, pending: 0 };
      expect(accountOf(bus, 'law')).toEqual(account);
    });

    promise('at least once', async () => {
      const seen = await watch(bus, 'once.*', 'once');
      await bus.subscribe('once.*', doubles, { subscriberId: 'on a worker', lanes: 2 });
      const sent = Array.from({ length: 300 }, (_, index) => index);
      for (const number of sent) bus.publish(`once.${number % 7}`, number);
      await bus.idle();
      expect(seen.map(({ payload }) => payload).sort((a, b) => Number(a) - Number(b))).toEqual(sent);
      expect(accountOf(bus, 'on a worker')).toMatchObject({ routed: 300, succeeded: 300 });
    });

    promise('all of a message is carried', async () => {
      const seen = await watch(bus, 'all.>', 'all');
      const payload = {
        date: new Date(0),
        map: new Map([['größe', 1n]]),
        bytes: new Uint8Array([1, 2]),
        nothing: undefined,
      };
      const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'a name': 'ü\n' };
      const before = Date.now();
      bus.publish('all.ä.b', payload, { key: 'k ö', priority: 'high', headers, id: 'my\nid 1' });
      bus.publish('all.c', Buffer.from('raw'));
      await bus.idle();
      const rich = seen.find(({ context }) => context.topic === 'all.ä.b');
      expect(rich?.payload).toEqual(payload);
      expect(rich?.context).toMatchObject({ key: 'k ö', priority: 'high', headers, id: 'my\nid 1', attempt: 1 });
      expect(rich?.context.publishedAt).toBeGreaterThanOrEqual(before);
      const raw = seen.find(({ context }) => context.topic === 'all.c');
      expect(raw?.payload).toEqual(Buffer.from('raw'));
      expect(raw?.context).toMatchObject({ key: null, priority: 'normal', headers: null });
    });

    promise('one delivery for each subscription', async () => {
      const [star, rest, exact] = await Promise.all([
        watch(bus, 'each.*.c', 'star'),
        watch(bus, 'each.>', 'rest'),
        watch(bus, 'each.b.c', 'exact'),
      ]);
      for (const topic of ['each.b.c', 'each.x.c', 'each.b']) bus.publish(topic, topic);
      await bus.idle();
      const topics = [star, rest, exact].map((seen) => seen.map(({ context }) => context.topic).sort());
      expect(topics).toEqual([['each.b.c', 'each.x.c'], ['each.b', 'each.b.c', 'each.x.c'], ['each.b.c']]);
    });

    promise('order of a key', async () => {
      const seen = await watch(bus, 'order.*', 'order');
      for (let index = 0; index < 300; index++) bus.publish('order.a', index, { key: `k${index % 13}` });
      await bus.idle();
      expect(seen).toHaveLength(300);
      for (let key = 0; key < 13; key++) {
        const ofKey = seen.filter(({ context }) => context.key === `k${key}`).map(({ payload }) => payload);
        expect(ofKey).toEqual(Array.from({ length: ofKey.length }, (_, index) => key + 13 * index));
      }
    });

    promise('higher priorities first', async () => {
      const seen: string[] = [];
      const see = (_payload: unknown, { priority }: HandlerContext): void => void seen.push(priority);
      const subscription = await bus.subscribe('priority.a', see, { subscriberId: 'priority' });
      subscription.pause();
      for (const priority of ['low', 'normal', 'critical', 'low', 'high'] as const) {
        bus.publish('priority.a', priority, { priority });
      }
      while (accountOf(bus, 'priority').pending < 5) await new Promise((resume) => setTimeout(resume, 2));
      subscription.resume();
      await bus.idle();
      expect(seen).toEqual(['critical', 'high', 'normal', 'low', 'low']);
    });

    promise('retries are counted', async () => {
      const attempts: number[] = [];
      const fail = (_payload: unknown, { attempt }: HandlerContext): void => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error('not yet');
      };
      await bus.subscribe('retry.a', fail, { subscriberId: 'retry' });
      bus.publish('retry.a', 1);
      await bus.idle();
      expect(attempts).toEqual([1, 2, 3]);
      expect(accountOf(bus, 'retry')).toMatchObject({ routed: 1, succeeded: 1, deadLettered: 0 });
    });

    promise('what a handler publishes comes once it succeeds', async () => {
      const seen = await watch(bus, 'child.a', 'child');
      const publish = (_payload: unknown, context: HandlerContext): void => {
        context.publish('child.a', context.attempt);
        if (context.attempt === 1) throw new Error('not this time');
      };
      await bus.subscribe('parent.a', publish, { subscriberId: 'parent' });
      bus.publish('parent.a', 0, { id: 'parent-1' });
      await bus.idle();
      expect(seen.map(({ payload, context }) => [payload, context.id])).toEqual([[2, 'parent-1:1']]);
    });

    promise('a handler decides', async () => {
      const attempts: number[] = [];
      const decide = (payload: unknown, { attempt }: HandlerContext): void => {
        if (payload === 'later') {
          attempts.push(attempt);
          if (attempt === 1) throw retryLater(5);
        }
        if (payload === 'letter') throw deadLetter('look at it');
        if (payload === 'nothing') throw discard('not wanted');
      };
      await bus.subscribe('decide.a', decide, { subscriberId: 'decide' });
      for (const payload of ['later', 'letter', 'nothing']) bus.publish('decide.a', payload);
      await bus.idle();
      expect(attempts).toEqual([1, 2]);
      expect(accountOf(bus, 'decide')).toMatchObject({ succeeded: 1, deadLettered: 1, dropped: 1 });
      const [letter] = (await bus.deadLetterQueue?.list({ subscriberId: 'decide' })) ?? [];
      expect(letter?.reason).toBe('rejected_by_handler');
    });

    promise('expired messages are dropped', async () => {
      const seen: unknown[] = [];
      const subscription = await bus.subscribe('expire.a', (p) => void seen.push(p), { subscriberId: 'expire' });
      subscription.pause();
      bus.publish('expire.a', 'old', { ttlMs: 1 });
      bus.publish('expire.a', 'young', { ttlMs: 60_000 });
      await new Promise((resume) => setTimeout(resume, 20));
      subscription.resume();
      await bus.idle();
      expect(seen).toEqual(['young']);
      expect(accountOf(bus, 'expire')).toMatchObject({ succeeded: 1, dropped: 1 });
    });

    promise('dead letters are complete, and replayed', async () => {
      let isMended = false;
      const seen: unknown[] = [];
      const fail = (payload: unknown): void => {
        if (!isMended) throw new TypeError('broken');
        seen.push(payload);
      };
      await bus.subscribe('letter.*', fail, { subscriberId: 'letter', retry: NOT_RETRIED });
      const payload = { at: new Date(7), big: 2n ** 70n };
      bus.publish('letter.a', payload, { id: 'l-1', key: 'k', priority: 'critical', headers: { h: 'v' } });
      await bus.idle();
      const queue = bus.deadLetterQueue;
      const [summary] = (await queue?.list({ subscriberId: 'letter' })) ?? [];
      const letter = await queue?.show(summary?.error_id as string);
      expect(letter?.message).toMatchObject({ id: 'l-1', topic: 'letter.a', key: 'k', priority: 'critical' });
      expect(letter?.message.payload).toEqual(payload);
      expect(letter).toMatchObject({
        reason: 'retries_exhausted',
        error_category: 'message_processing_error',
        subscriber_id: 'letter',
        pattern: 'letter.*',
        headers: { h: 'v' },
        started: 1,
        failed: 1,
        error: { name: 'TypeError', message: 'broken' },
      });
      isMended = true;
      const { replayed } = (await queue?.replay({ subscriberId: 'letter' })) ?? {};
      expect(replayed).toEqual([summary?.error_id]);
      expect(seen).toEqual([payload]);
      expect(await queue?.list({ subscriberId: 'letter' })).toEqual([]);
      isMended = false;
      for (const topic of ['letter.b', 'letter.c']) bus.publish(topic, 'another', { id: 'l-1' });
      await bus.idle();
      expect(await queue?.list({ subscriberId: 'letter' })).toHaveLength(2);
    });

    promise('isolation', async () => {
      const quick = { connection_error: { maxRetries: 3, backoffMs: 1 } };
      await bus.subscribe('isolate.a', exits, { subscriberId: 'isolate', retry: quick });
      for (let index = 0; index < 20; index++) bus.publish('isolate.a', index === 10 ? 'exit' : 'fine');
      await bus.idle();
      expect(accountOf(bus, 'isolate')).toMatchObject({ routed: 20, succeeded: 19, deadLettered: 1, pending: 0 });
      const [letter] = (await bus.deadLetterQueue?.list({ subscriberId: 'isolate' })) ?? [];
      expect(letter?.reason).toBe('poison');
    });

    promise('acceptance can be awaited', async () => {
      const seen = await watch(bus, 'await.a', 'await');
      await bus.publishAsync('await.a', 1);
      await expect(bus.publishAsync('not a topic', 1)).rejects.toMatchObject({ code: 'BUSBAR_INVALID_TOPIC' });
      await bus.idle();
      expect(seen).toHaveLength(1);
    });

    promise('a topic accepts an id once', async () => {
      const seen = await watch(bus, 'id.*', 'id');
      for (const topic of ['id.a', 'id.a', 'id.b', 'id.b', 'id.a'])
        await bus.publishAsync(topic, 0, { id: 'the same' });
      await bus.idle();
      expect(seen.map(({ context }) => context.topic).sort()).toEqual(['id.a', 'id.b']);
    });

    promise('subscribers share a subscription', async () => {
      const [one, other] = await Promise.all([start('shared'), start('shared')]);
      const seen = await Promise.all([watch(one, 'share.*', 'share'), watch(other, 'share.*', 'share')]);
      for (let index = 0; index < 200; index++) one.publish('share.a', index);
      await Promise.all([one.idle(), other.idle()]);
      const numbers = seen.flat().map(({ payload }) => Number(payload));
      expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, index) => index));
    });

    promise('messages outlive the process', async () => {
      const first = await start('outlive');
      const subscription = await first.subscribe('outlive.*', () => undefined, { subscriberId: 'outlive' });
      subscription.pause();
      for (let index = 0; index < 50; index++) await first.publishAsync('outlive.a', index, { key: 'k' });
      await first.stop({ drain: false });
      expect(accountOf(first, 'outlive')).toMatchObject({ deadLettered: 0, dropped: 0, pending: 0 });
      const second = await start('outlive');
      const seen = await watch(second, 'outlive.*', 'outlive');
      await second.idle();
      expect(seen.map(({ payload }) => payload)).toEqual(Array.from({ length: 50 }, (_, index) => index));
      expect(new Set(seen.map(({ context }) => context.attempt))).toEqual(new Set([1]));
    });

    promise('what is left at stop is dead-lettered', async () => {
      const stopped = await start();
      const subscription = await stopped.subscribe('left.*', () => undefined, { subscriberId: 'left' });
      subscription.pause();
      stopped.publish('left.a', 1);
      await stopped.stop({ drain: false });
      expect(accountOf(stopped, 'left')).toMatchObject({ routed: 1, deadLettered: 1, pending: 0 });
    });
  });
}
