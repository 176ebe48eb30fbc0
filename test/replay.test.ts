// Replaying dead letters: to the subscription that failed, once, carefully, and without losing or doubling any.
import { describe, expect, it } from '@jest/globals';
import { type DeadLetterQueue, discard, type LetterChoice, type MessageBus, type ReplayOptions } from '../src/index.js';
import { Logging } from '../src/observe/logging.js';
import { noReplayYet, skip } from '../src/shared/replay.js';
import { shareBus } from './shared-bus.js';
import { lettersOf, startBus, temporaryFolder } from './test-bus.js';

const NEVER = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };
const shared = shareBus();

/** A bus with `count` letters of one subscription whose handler fails while `isBroken`. */
async function busWithLetters(count: number, { bus }: { bus: MessageBus } = shared) {
  const control = { isBroken: true, seen: [] as unknown[], ids: [] as string[], onSeen: (_count: number) => {} };
  const handler = (payload: unknown, { id }: { id: string }) => {
    control.onSeen(control.seen.push(payload));
    control.ids.push(id);
    if (control.isBroken) throw new Error(`broken by ${JSON.stringify(payload)}`);
  };
  await bus.subscribe('a.*', handler, { subscriberId: 's', breaker: { failureThreshold: 1000 }, retry: NEVER });
  for (let n = 0; n < count; n++) bus.publish('a.b', n, { id: `m${n}` });
  await bus.idle();
  control.seen.length = 0;
  control.ids.length = 0;
  return { bus, control, queue: queueOf(bus) };
}

function queueOf(bus: MessageBus): DeadLetterQueue {
  if (bus.deadLetterQueue === null) throw new Error('no queue');
  return bus.deadLetterQueue;
}

describe('a replay', () => {
  it('tells of any number of letters that were not tried, one by one or all at once', () => {
    const result = noReplayYet();
    skip(result, Array(400_000).fill('a'), 'stopping');
    const began = performance.now();
    for (let n = 0; n < 100_000; n++) skip(result, ['b'], 'unknown');
    // What copies the list each time takes more than a minute.
    expect(performance.now() - began).toBeLessThan(5000);
    expect(result.skipped).toHaveLength(500_000);
    expect(result.skippedBecause).toMatchObject({ stopping: { length: 400_000 }, unknown: { length: 100_000 } });
  });

  it('gives letters back to the subscription that failed, and to no other', async () => {
    const { bus, control, queue } = await busWithLetters(3);
    const others: unknown[] = [];
    await bus.subscribe('a.>', (payload) => void others.push(payload), { subscriberId: 'other' });
    control.isBroken = false;
    expect((await queue.replay({ all: true }, { dryRun: true })).replayed).toHaveLength(3);
    expect(control.seen).toEqual([]);
    const { replayed, failed, skipped } = await queue.replay({ all: true });
    expect([replayed.length, failed, skipped]).toEqual([3, [], []]);
    expect(control.seen).toEqual([0, 1, 2]);
    expect(control.ids).toEqual(['m0/replay/1', 'm1/replay/1', 'm2/replay/1']);
    expect(others).toEqual([]);
    expect(await lettersOf(bus)).toEqual([]);
  });

  it('that fails again joins its letter: a count more, the new failure, never a copy', async () => {
    const { queue } = await busWithLetters(2);
    const before = await queue.list();
    const { failed } = await queue.replay({ all: true });
    expect(failed).toEqual(before.map(({ error_id: id }) => id));
    const after = await queue.getMessages();
    expect(after).toMatchObject([
      { replays: 1, replay_failures: 1, state: 'dead', started: 2, failed: 2, history: [{ count: 2 }] },
      { replays: 1, replay_failures: 1, state: 'dead' },
    ]);
    expect(after.map(({ error_id: id, timestamp }) => [id, timestamp])).toEqual(
      before.map(({ error_id: id, timestamp }) => [id, timestamp]),
    );
    await queue.replay([failed[0] as string]);
    expect((await queue.list()).map(({ replays, replay_failures }) => [replays, replay_failures])).toEqual([
      [2, 2],
      [1, 1],
    ]);
  });

  it('that is dropped before its handler was done with it leaves its letter where it was', async () => {
    const folder = temporaryFolder();
    const first = await startBus({ errorLogDir: folder, threads: 1 });
    const options = { subscriberId: 's', breaker: false, whenExhausted: 'discard' } as const;
    await first.subscribe('a.*', () => new Promise(() => undefined), options);
    for (let n = 0; n < 3; n++) first.publish('a.b', n);
    await first.stop({ timeoutMs: 0 });

    const retry = { message_processing_error: { maxRetries: 1, backoffMs: 0 } };
    const bus = await startBus({ errorLogDir: folder, threads: 1, retry });
    let isBroken = true;
    await bus.subscribe(
      'a.*',
      () => {
        if (isBroken) throw new Error('still broken');
        throw discard('not needed any more');
      },
      options,
    );
    const queue = queueOf(bus);
    expect(await queue.replay({ all: true })).toMatchObject({ replayed: [], failed: { length: 3 }, skipped: [] });
    expect(await queue.list()).toMatchObject(Array(3).fill({ state: 'dead', reason: 'retries_exhausted', replays: 1 }));
    isBroken = false;
    expect(await queue.replay({ all: true })).toMatchObject({ replayed: { length: 3 }, failed: [], skipped: [] });
    expect(await queue.list()).toEqual([]);
  });

  it('that gives way to others in a full queue leaves its letter where it was', async () => {
    const { bus } = shared;
    const queue = queueOf(bus);
    let isBroken = true;
    const handled: unknown[] = [];
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const handler = async (payload: unknown) => {
      if (isBroken) throw new Error('broken');
      begin();
      await gate;
      handled.push(payload);
    };
    const options = {
      subscriberId: 's',
      breaker: false,
      retry: NEVER,
      overflow: 'drop-oldest',
      maxQueueSize: 4,
    } as const;
    const before = { state: 'dead', reason: 'retries_exhausted', replays: 1, replay_failures: 0 };
    await bus.subscribe('a.*', handler, options);
    for (let n = 0; n < 12; n++) {
      bus.publish('a.b', n);
      await bus.idle();
    }
    isBroken = false;
    const replaying = queue.replay({ all: true });
    await begun;
    for (let n = 0; n < 20; n++) bus.publish('a.b', 'newer');
    open();
    const { replayed, failed, skipped, skippedBecause } = await replaying;
    const old = handled.filter((payload) => payload !== 'newer');
    expect(old.length).toBeLessThan(12);
    expect([replayed.length, failed, skippedBecause]).toEqual([old.length, [], { queue_full: skipped }]);
    expect(skipped).toHaveLength(12 - old.length);
    const left = await queue.getMessages();
    expect([...left.map(({ message }) => message.payload), ...old].sort()).toEqual(
      Array.from({ length: 12 }, (_, n) => n).sort(),
    );
    expect(left).toMatchObject(left.map(() => before));
  });

  it('and a purge take everything only when that is said, and no option that nobody knows', async () => {
    const { control, queue } = await busWithLetters(2);
    const wrong: [unknown, unknown?][] = [
      [undefined],
      [null],
      [{}],
      [{ topic: undefined }],
      [{ all: false }],
      [{ all: true, topic: 'a.b' }],
      [{ canary: 1 }],
      [{ all: true }, { canari: 1 }],
      [{ all: true }, { dryRun: 'no' }],
      [{ all: true }, null],
      [{ since: Date.now() }],
      [{ since: 'yesterday' }],
    ];
    for (const [choice, options] of wrong) {
      const replay = queue.replay(choice as LetterChoice, options as ReplayOptions);
      await expect(replay).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
    }
    for (const remove of [
      queue.purge({}),
      queue.archive({}),
      queue.unarchive({}),
      queue.edit('x', { kee: 1 } as object),
      queue.edit('x', {}),
      queue.edit(5 as never, { key: 'k' }),
      queue.show(5 as never),
    ])
      await expect(remove).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
    expect([control.seen, (await queue.list()).length]).toEqual([[], 2]);
    expect(await queue.purge({ since: new Date(Date.now() - 60_000), until: '2100-01-01' })).toBe(2);
  });

  it('goes on when the logging worker dies in the middle: each letter is handled once, and none stays pending', async () => {
    const { control, queue } = await busWithLetters(200);
    const logging = Logging.of(shared.folder);
    control.isBroken = false;
    // It dies while letters are claimed, and while others are settled.
    control.onSeen = (count) => {
      if (count === 1 || count === 150) logging.ask((worker) => worker.die()).catch(() => undefined);
    };
    expect(await queue.replay({ all: true })).toMatchObject({ replayed: { length: 200 }, failed: [], skipped: [] });
    expect(control.seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 200 }, (_, n) => n));
    expect(await queue.list()).toEqual([]);
    expect(logging.health().restarts).toBe(2);
    await logging.close();
  });

  it('goes on after its canary only if all of that succeeded', async () => {
    const { control, queue } = await busWithLetters(5);
    const refused = await queue.replay({ all: true }, { canary: 2 });
    expect([refused.failed.length, refused.skippedBecause.canary?.length, control.seen.length]).toEqual([2, 3, 2]);
    control.isBroken = false;
    expect((await queue.replay({ all: true }, { canary: 2 })).replayed).toHaveLength(5);
  });

  it('keeps to its rate', async () => {
    const { control, queue } = await busWithLetters(5);
    control.isBroken = false;
    const start = performance.now();
    await queue.replay({ all: true }, { ratePerSec: 50 });
    expect(performance.now() - start).toBeGreaterThan(4 * 20 - 5);
  });

  it('of one letter happens once, however often it is asked for at the same time', async () => {
    const { control, queue } = await busWithLetters(20);
    control.isBroken = false;
    const results = await Promise.all([
      queue.replay({ all: true }),
      queue.replay({ all: true }),
      queue.replay({ subscriberId: 's' }),
    ]);
    expect(results.reduce((sum, { replayed }) => sum + replayed.length, 0)).toBe(20);
    expect(control.seen).toHaveLength(20);
    const [, ...later] = results;
    for (const { skipped, skippedBecause } of later) expect(skippedBecause).toEqual({ replaying: skipped });
  });

  it('takes groups, edited letters and archived ones by name', async () => {
    const { control, queue } = await busWithLetters(4);
    const [one, two, three, four] = (await queue.list()).map(({ error_id: id }) => id) as [
      string,
      string,
      string,
      string,
    ];
    await queue.edit(two, { payload: { mended: true } });
    await queue.archive([three]);
    control.isBroken = false;
    const [group] = await queue.groups({ state: 'dead' });
    const { replayed } = await queue.replay({ signature: group?.signature ?? '' });
    expect(replayed).toEqual([one, two, four]);
    expect(control.seen).toEqual([0, { mended: true }, 3]);
    expect(await queue.unarchive({ all: true })).toBe(1);
    expect(await queue.replay([three, 'nobody'])).toMatchObject({
      replayed: [three],
      skippedBecause: { unknown: ['nobody'] },
    });
    expect(await queue.list()).toEqual([]);
  });

  it('of a letter whose subscription is gone is skipped, and the letter stays', async () => {
    const folder = temporaryFolder();
    const { bus, queue } = await busWithLetters(1, { bus: await startBus({ errorLogDir: folder }) });
    await bus.stop();
    const next = await startBus({ errorLogDir: folder });
    expect((await queueOf(next).replay({ all: true })).skippedBecause).toMatchObject({ unsubscribed: { length: 1 } });
    expect(await lettersOf(next)).toMatchObject([{ state: 'dead', replays: 1, replay_failures: 0 }]);
    await expect(queue.list()).rejects.toMatchObject({ code: 'BUSBAR_NOT_RUNNING' });
  });

  it('does not lose the letter of a message whose own id looks like a replay', async () => {
    const { bus, queue } = await busWithLetters(0);
    await expect(bus.request('a.b', 1, { id: 'x/replay/1' })).rejects.toMatchObject({ code: 'BUSBAR_REQUEST_FAILED' });
    expect(await queue.list()).toHaveLength(1);
  });
});
