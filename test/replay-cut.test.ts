// Replays that cannot go on: cut off by a stop, or held by an open breaker.
import { describe, expect, it } from '@jest/globals';
import { type DeadLetterQueue, deadLetter, type MessageBus } from '../src/index.js';
import { shareBus } from './shared-bus.js';
import { startBus, temporaryFolder } from './test-bus.js';

const shared = shareBus();

function queueOf(bus: MessageBus): DeadLetterQueue {
  if (bus.deadLetterQueue === null) throw new Error('no queue');
  return bus.deadLetterQueue;
}

describe('a replay', () => {
  it('that a stop cuts off was not tried: its letter keeps its cause, wherever it was', async () => {
    const folder = temporaryFolder();
    const bus = await startBus({ errorLogDir: folder });
    const queue = queueOf(bus);
    let isBroken = true;
    const begun = new Set<string>();
    const retry = { message_processing_error: { maxRetries: 1, backoffMs: 3_600_000, jitter: false } };
    const handler =
      (end: () => unknown) =>
      (_: unknown, { topic }: { topic: string }) => {
        if (isBroken) throw deadLetter('not now');
        begun.add(topic);
        return end();
      };
    const fail = (): never => {
      throw new Error('fails once more');
    };
    await bus.subscribe('held', handler(fail), { subscriberId: 'held' });
    await bus.subscribe(
      'running',
      handler(() => new Promise(() => undefined)),
      { subscriberId: 'running' },
    );
    await bus.subscribe('retrying', handler(fail), { subscriberId: 'retrying', retry, breaker: false });
    await bus.subscribe(
      'slow',
      handler(() => 'done'),
      { subscriberId: 'slow' },
    );
    for (const topic of ['held', 'running', 'retrying', 'slow']) for (let n = 0; n < 3; n++) bus.publish(topic, n);
    await bus.idle();
    isBroken = false;
    bus.breaker('held#held').forceOpen();
    const replays = ['held', 'running', 'retrying'].map((subscriberId) => queue.replay({ subscriberId }));
    replays.push(queue.replay({ subscriberId: 'slow' }, { ratePerSec: 0.001 }));
    while (begun.size < 3) await new Promise((later) => setTimeout(later, 5));
    await bus.stop({ timeoutMs: 0 });
    const [held, running, retrying, slow] = await Promise.all(replays);
    for (const result of [held, running, retrying]) expect(result).toMatchObject({ replayed: [], failed: [] });
    const three = { skipped: { length: 3 }, skippedBecause: { stopping: { length: 3 } } };
    for (const result of [held, running, retrying]) expect(result).toMatchObject(three);
    expect(slow).toMatchObject({ replayed: { length: 1 }, failed: [], skippedBecause: { stopping: { length: 2 } } });
    expect(held?.held).toEqual(held?.skipped);
    const next = await startBus({ errorLogDir: folder });
    const left = await queueOf(next).list();
    expect(left).toHaveLength(11);
    expect(left).toMatchObject(left.map(() => ({ state: 'dead', reason: 'rejected_by_handler', replay_failures: 0 })));
  });

  it('says which letters have to wait for an open breaker, and which have nobody to go to', async () => {
    const { bus } = shared;
    const queue = queueOf(bus);
    let isBroken = true;
    const handler = (): void => {
      if (isBroken) throw deadLetter('not now');
    };
    await bus.subscribe('a', handler, { subscriberId: 's' });
    const other = await bus.subscribe('other', handler, { subscriberId: 'other' });
    for (const topic of ['a', 'a', 'other']) {
      bus.publish(topic, 1);
      await bus.idle();
    }
    await other.unsubscribe();
    const ids = (await queue.list()).map(({ error_id: id }) => id);
    const [one, two, gone] = ids as [string, string, string];
    isBroken = false;
    expect(await queue.replay(ids, { dryRun: true })).toEqual({
      replayed: [one, two],
      failed: [],
      skipped: [gone],
      skippedBecause: { unsubscribed: [gone] },
      held: [],
    });
    bus.breaker('a#s').forceOpen();
    expect(await queue.replay({ all: true }, { dryRun: true })).toMatchObject({ skipped: [gone], held: [one, two] });
    const replay = queue.replay([one]);
    while (bus.getHealthStatus().subscriptions[0]?.pending === 0) await new Promise((later) => setTimeout(later, 5));
    bus.breaker('a#s').reset();
    expect(await replay).toEqual({ replayed: [one], failed: [], skipped: [], skippedBecause: {}, held: [one] });
  });
});
