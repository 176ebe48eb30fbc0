// Set-up where threads are busy. Teardown: runs on each thread that was set up, when nobody needs the handler any more, and not on one that was ended.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { defineHandler, type MessageBus } from '../src/index.js';
import { systemClock } from '../src/shared/clock.js';
import { type LaneTask, type LaneTaskResult, Progress } from '../src/shared/lane-task.js';
import { Loads } from '../src/threads/loads.js';
import { type Pool, ThreadLost } from '../src/threads/pool.js';
import doubles from './fixtures/doubles.js';
import returnsThenables from './fixtures/returns-thenables.js';
import setsUp, { mood } from './fixtures/sets-up.js';
import tearsDown, { diary, manner } from './fixtures/tears-down.js';
import { shareBus } from './shared-bus.js';

afterEach(() => {
  for (const file of [diary, manner, mood]) rmSync(file, { force: true });
});

/** What happened, in order; by thread. */
function diaryLines(): [thread: string, what: string][] {
  const lines = readFileSync(diary, 'utf8').trim().split('\n');
  return lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]);
}

function countOf(what: string): number {
  return diaryLines().filter(([, itsWhat]) => itsWhat === what).length;
}

/** All threads that may run it have set it up. */
async function setUpOn(threads: number): Promise<void> {
  while (countOf('set up') < threads) await new Promise((resume) => setTimeout(resume, 5));
}

const shared = shareBus({ threads: 2 });

describe('the teardown of a handler', () => {
  const subscribe = (subscriberId = 's', options: object = {}): ReturnType<MessageBus['subscribe']> =>
    shared.bus.subscribe(`topic.${subscriberId}`, tearsDown, { subscriberId, breaker: false, ...options });

  it('runs on each thread that was set up, after the last delivery, before unsubscribing resolves', async () => {
    const subscription = await subscribe();
    await setUpOn(2);
    for (let n = 0; n < 20; n++) shared.bus.publish('topic.s', n);
    await subscription.unsubscribe();
    expect(countOf('handled')).toBe(20);
    const lines = diaryLines();
    const ends = lines.slice(-2);
    expect(ends.map(([, what]) => what)).toEqual(['torn down', 'torn down']);
    expect(new Set(ends.map(([thread]) => thread)).size).toBe(2);
    expect(await shared.reports()).toEqual([]);
  });

  it('waits for the last subscription of the handler, and a new one sets it up again', async () => {
    const first = await subscribe('first');
    await setUpOn(2);
    const second = await subscribe('second');
    await first.unsubscribe();
    expect(countOf('torn down')).toBe(0);
    await second.unsubscribe();
    expect(countOf('torn down')).toBe(2);
    const third = await subscribe('third');
    await setUpOn(4);
    await third.unsubscribe();
    expect(countOf('torn down')).toBe(4);
  });

  it('that throws is reported', async () => {
    const subscription = await subscribe();
    await setUpOn(2);
    writeFileSync(manner, 'throws');
    await subscription.unsubscribe();
    const report = {
      category: 'message_processing_error',
      component: 'subscription topic.s#s',
      message: expect.stringMatching(/teardown of .*tears-down.js threw: the valve is stuck/),
    };
    expect(await shared.reports()).toMatchObject([report, report]);
  });

  it('is waited for as long as the grace, and no longer', async () => {
    const subscription = await subscribe('s', { graceMs: 50 });
    await setUpOn(2);
    writeFileSync(manner, 'hangs');
    await subscription.unsubscribe();
    expect(await shared.reports()).toMatchObject([
      { message: expect.stringContaining('has not settled within 50 ms on 2 thread(s)') },
    ]);
  });
});

describe('threads', () => {
  it('that were ended take nothing down; those that stop with the bus do', async () => {
    const bus = await shared.beside();
    const retry = { connection_error: { maxRetries: 0, backoffMs: 0 } };
    await bus.subscribe('a', tearsDown, { subscriberId: 's', breaker: false, retry });
    bus.publish('a', -1);
    await bus.idle();
    bus.publish('a', 1);
    await bus.stop();
    const [first, second] = diaryLines().filter(([, what]) => what === 'set up');
    expect(first?.[0]).not.toBe(second?.[0]);
    expect(diaryLines().filter(([, what]) => what === 'torn down')).toEqual([[second?.[0], 'torn down']]);
  });

  it('are given a teardown that is a function', () => {
    const options = { teardown: 'x' as unknown as () => void };
    expect(() => defineHandler(import.meta.url, () => 0, options)).toThrow(
      'defineHandler: teardown must be a function',
    );
  });
});

/** Begins a thread and what all modules import: on a busy machine that takes longer than the limits here. */
async function inPeace(bus: MessageBus): Promise<void> {
  await bus.subscribe('before', doubles, { subscriberId: 'before' });
}

/** Has a second thread load this handler early: it may not have begun yet. */
async function onSecondThread(bus: MessageBus, handler: typeof setsUp | typeof tearsDown, hasIt: () => boolean) {
  for (let n = 0; !hasIt(); n++) {
    const again = await bus.subscribe(`again.${n}`, handler as typeof tearsDown, { subscriberId: 'again' });
    await Promise.race([again.unsubscribe(), new Promise((resume) => setTimeout(resume, 20))]);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

describe('while a second thread sets a handler up, and the first one is busy, too', () => {
  const LONGER_MS = 700;
  const short = { subscriberId: 's', setupTimeoutMs: 300 };

  /** What has a thread now, and what is set up on the other, goes on once the mood is gone. */
  async function occupy(bus: MessageBus): Promise<void> {
    writeFileSync(mood, 'first, wait');
    const subscribe = (n: number) => bus.subscribe(`slow.${n}`, setsUp, { subscriberId: 'slow' });
    await subscribe(0);
    const pause = (): Promise<void> => new Promise((resume) => setTimeout(resume, 20));
    // The second thread may not have begun yet.
    for (let n = 1; ; n++) {
      await pause();
      if (readFileSync(mood, 'utf8') === 'waits') break;
      await Promise.race([subscribe(n), pause()]);
    }
    bus.publish('slow.0', 10);
    const isBusy = (): boolean => bus.getHealthStatus().subscriptions.some(({ inFlight }) => inFlight === 1);
    while (!isBusy()) await new Promise((resume) => setTimeout(resume, 5));
  }

  async function isUntroubled(bus: MessageBus): Promise<void> {
    expect(await shared.reports()).toEqual([]);
    expect(bus.getHealthStatus().threads.replaced).toBe(0);
  }

  it('a lane that waits for a thread is not taken for one whose handler hangs', async () => {
    const bus = await shared.beside({ threads: 2 });
    await inPeace(bus);
    const quick = await bus.subscribe('quick', doubles, short);
    expect(await bus.request('quick', 1)).toBe(2);
    quick.pause();
    await occupy(bus);
    quick.resume();
    const answer = bus.request('quick', 2);
    await new Promise((resume) => setTimeout(resume, LONGER_MS));
    expect(bus.getHealthStatus().subscriptions[1]).toMatchObject({ pending: 1, held: false });
    rmSync(mood);
    expect(await answer).toBe(4);
    await isUntroubled(bus);
  });

  it('a handler that waits to be loaded is not refused for that', async () => {
    const bus = await shared.beside({ threads: 2 });
    await occupy(bus);
    const subscribed = bus.subscribe('quick', returnsThenables, short);
    subscribed.catch(() => undefined);
    await new Promise((resume) => setTimeout(resume, LONGER_MS));
    rmSync(mood);
    await subscribed;
    await isUntroubled(bus);
  });
});

describe('a lane, while the thread that stands by sets the handler of another one up early', () => {
  it('finds a thread at once, however often its own one ends', async () => {
    const bus = await shared.beside({ spareThreads: 1, retry: { connection_error: { maxRetries: 0, backoffMs: 0 } } });
    const diesBelow0 = { subscriberId: 'dies', breaker: false as const, graceMs: 600 };
    await bus.subscribe('slow', setsUp, { subscriberId: 'slow' });
    const dies = await bus.subscribe('dies', tearsDown, diesBelow0);
    await onSecondThread(bus, tearsDown, () => countOf('set up') === 2);
    writeFileSync(mood, 'wait');
    bus.publish('dies', -1);
    while (readFileSync(mood, 'utf8') !== 'waits') await new Promise((resume) => setTimeout(resume, 5));
    // What is written from here on keeps a second thread in that set-up, and there would be none left.
    writeFileSync(mood, 'wait');
    for (let end = 2; end < 4; end++) {
      bus.publish('dies', -1);
      await bus.idle();
      while (bus.getHealthStatus().threads.alive < 2) await new Promise((resume) => setTimeout(resume, 5));
      await new Promise((resume) => setTimeout(resume, 50));
      expect(bus.getHealthStatus().threads.replaced).toBe(end);
    }
    expect(readFileSync(mood, 'utf8')).toBe('wait');
    bus.publish('dies', 1);
    await bus.idle();
    expect(countOf('handled')).toBe(1);
    // Nor does its teardown wait for all that others load.
    await dies.unsubscribe();
    expect(countOf('torn down')).toBe(1);
    expect((await shared.reports()).filter(({ message }) => message.includes('teardown'))).toEqual([]);
  });
});

describe('while other handlers are set up early', () => {
  it('a subscription ends as soon as its own handler is taken down', async () => {
    const bus = await shared.beside({ threads: 2 });
    await inPeace(bus);
    const ends = await bus.subscribe('ends', tearsDown, { subscriberId: 'ends', graceMs: 10_000 });
    await onSecondThread(bus, tearsDown, () => countOf('set up') === 2);
    writeFileSync(mood, 'first, wait');
    await onSecondThread(bus, setsUp, () => readFileSync(mood, 'utf8') === 'waits');
    const began = performance.now();
    await ends.unsubscribe();
    expect(performance.now() - began).toBeLessThan(4000);
    expect(countOf('torn down')).toBe(2);
    rmSync(mood);
  });
});

describe('a handler that has ended a thread on which it was loaded early', () => {
  it('is loaded early again, but not within a minute', async () => {
    const handler = { url: 'file:///a.js', exportName: 'default', codec: null, setupTimeoutMs: 1000 };
    const tasks: string[] = [];
    const run = async (task: LaneTask): Promise<LaneTaskResult> => {
      tasks.push(task.kind);
      if (task.kind === 'warm') Atomics.store(new Int32Array(task.progress), Progress.COUNT, 1);
      throw new ThreadLost('exited', null, null);
    };
    const loads = new Loads({ idle: 1, missing: 0, isUnruly: false, run } as unknown as Pool);
    loads.expect([handler]);
    const now = systemClock.elapsed();
    const elapsed = jest.spyOn(systemClock, 'elapsed');
    const tasksAt: number[] = [];
    for (const ms of [0, 0, 59_999, 60_000, 60_000]) {
      elapsed.mockReturnValue(now + ms);
      loads.replenish();
      await loads.warmed(handler);
      tasksAt.push(tasks.length);
    }
    elapsed.mockRestore();
    expect(tasksAt).toEqual([1, 1, 1, 2, 2]);
  });
});

describe('a set-up that is in an endless loop on a second thread', () => {
  it('has that ended and reported once, and no other thread begins with it', async () => {
    const bus = await shared.beside({ spareThreads: 1 });
    await inPeace(bus);
    writeFileSync(mood, 'first, loop');
    await bus.subscribe('a', setsUp, { subscriberId: 's', setupTimeoutMs: 300 });
    const pause = (): Promise<void> => new Promise((resume) => setTimeout(resume, 20));
    // The second thread may not have begun yet.
    for (let n = 0; ; n++) {
      await pause();
      if (readFileSync(mood, 'utf8') === 'loop!') break;
      const again = bus.subscribe(`a.${n}`, setsUp, { subscriberId: 's', setupTimeoutMs: 300 }).catch(() => undefined);
      await Promise.race([again, pause()]);
    }
    while ((await shared.reports()).length === 0) await new Promise((resume) => setTimeout(resume, 20));
    const message = expect.stringMatching(/^setup of handler module .*sets-up.js has not ended within 300 ms$/);
    expect(await shared.reports()).toMatchObject([
      { category: 'configuration_error', component: 'subscribe', message },
    ]);
    const { threads } = bus.getHealthStatus();
    expect(threads.replaced).toBe(1);
    // A thread begins within 60 ms; one that loads early would be in the loop, too.
    await new Promise((resume) => setTimeout(resume, 500));
    expect([readFileSync(mood, 'utf8'), (await shared.reports()).length]).toEqual(['loop!', 1]);
    expect(await bus.request('a', 1)).toBe(1);
  });

  it('that began later, when another one had ended, has the same', async () => {
    const bus = await shared.beside({ spareThreads: 1, retry: { connection_error: { maxRetries: 0, backoffMs: 0 } } });
    const untilMoodIs = async (words: string): Promise<void> => {
      while (readFileSync(mood, 'utf8') !== words) await new Promise((resume) => setTimeout(resume, 5));
    };
    writeFileSync(mood, 'first, first, loop');
    await bus.subscribe('a', setsUp, { subscriberId: 's', breaker: false, setupTimeoutMs: 900 });
    await untilMoodIs('loop');
    bus.publish('a', -1);
    await untilMoodIs('loop!');
    const reports = async () => (await shared.reports()).filter(({ category }) => category === 'configuration_error');
    while ((await reports()).length === 0) await new Promise((resume) => setTimeout(resume, 20));
    const message = expect.stringMatching(/^setup of handler module .*sets-up.js has not ended within 900 ms$/);
    expect(await reports()).toMatchObject([{ component: 'subscribe', message }]);
    expect(bus.getHealthStatus().threads.replaced).toBe(2);
    // The next one begins without it.
    while (bus.getHealthStatus().threads.alive < 2) await new Promise((resume) => setTimeout(resume, 5));
    await new Promise((resume) => setTimeout(resume, 200));
    expect(readFileSync(mood, 'utf8')).toBe('loop!');
    expect(await bus.request('a', 1)).toBe(1);
  });
});
