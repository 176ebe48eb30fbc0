// Several handlers at once in a lane, one of which misbehaves: it is named, and those beside it do not pay.
import { describe, expect, it } from '@jest/globals';
import type { SubscribeOptions } from '../src/index.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';
import type { Deed } from './fixtures/misbehaves.js';
import { DEADLINE, type Scene, sceneOf } from './scene.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf } from './test-bus.js';

const shared = shareBus({ resourceLimits: { maxOldGenerationSizeMb: 64 }, spareThreads: 1 });
const setScene = (options?: Partial<SubscribeOptions>): Promise<Scene> => sceneOf(shared.bus, options);
const pause = (): Promise<void> => new Promise((resume) => setTimeout(resume, 5));

describe('with several handlers at once in a lane', () => {
  it('the one that loops is named, and those beside it run again for free', async () => {
    const scene = await setScene({ concurrency: 4, ...DEADLINE });
    await scene.act('wait', 'wait', 'loop', 'wait', 'wait', 'wait');
    expect(scene.done().filter((n, index, all) => all.indexOf(n) === index)).toEqual([0, 1, 3, 4, 5]);
    expect(await lettersOf(scene.bus)).toMatchObject([
      { error_category: 'timeout_error', message: { payload: { n: 2 } } },
    ]);
    expect(accountOf(scene.bus, 's')).toMatchObject({ succeeded: 5, deadLettered: 1 });
  });

  it('those that never settle are named, and those beside them run once', async () => {
    const clock = new SteppedClock();
    const bus = await shared.beside({ clock });
    const scene = await sceneOf(bus, { concurrency: 4, ...DEADLINE, graceMs: 500 });
    const waits = Array<string>(30).fill('wait');
    let isOver = false;
    const acting = scene.act('never settle', ...waits, 'never settle', ...waits).finally(() => {
      isOver = true;
    });
    // Time passes as those that wait come to their ends: on a busy machine they take longer, and must not be overdue for that.
    for (let ended = 0; ended < 60; ) {
      await pause();
      const before = ended;
      ended = scene.done().length;
      clock.step(7 * (ended - before));
    }
    for (; !isOver; await pause()) clock.step(50);
    await acting;
    for (let n = 0; n < 62; n++) expect([n, scene.starts(n)]).toEqual([n, n === 0 || n === 31 ? 2 : 1]);
    const letters = (await lettersOf(bus)).map(({ message, error_category, failed }) => [
      (message.payload as Deed).n,
      error_category,
      failed,
    ]);
    expect(letters.sort()).toEqual([0, 31].map((n) => [n, 'timeout_error', 2]));
  });

  it('the one that exits runs alone from then on, and is charged for what it does there', async () => {
    const retry = { connection_error: { maxRetries: 3, backoffMs: 0 } };
    const scene = await setScene({ concurrency: 4, retry });
    await scene.act('wait', 'wait', 'wait', 'exit later', ...Array<string>(20).fill('wait'));
    expect(await lettersOf(scene.bus)).toMatchObject([
      { reason: 'poison', failed: 2, started: 3, message: { payload: { n: 3 } } },
    ]);
    expect(shared.replaced()).toBe(3);
    for (let n = 0; n < 24; n++) if (n !== 3) expect(scene.starts(n)).toBeLessThanOrEqual(2);
    expect(accountOf(scene.bus, 's')).toMatchObject({ succeeded: 23, deadLettered: 1 });
  });

  it('the one that runs out of memory is found by running the suspects one at a time', async () => {
    const scene = await setScene({ concurrency: 4 });
    await scene.act('wait', 'wait', 'wait', 'hoard', ...Array<string>(20).fill('wait'));
    expect(await lettersOf(scene.bus)).toMatchObject([
      { reason: 'not_retryable', failed: 1, started: 2, message: { payload: { n: 3 } } },
    ]);
    expect(shared.replaced()).toBe(2);
    for (let n = 0; n < 24; n++) if (n !== 3) expect(scene.starts(n)).toBeLessThanOrEqual(2);
  });

  it('one that exits after its end hurts nobody else', async () => {
    const scene = await setScene({ concurrency: 2 });
    await scene.act('exit after the end', 'wait long');
    expect([scene.done(), scene.starts(1), await lettersOf(scene.bus)]).toEqual([[0, 1], 2, []]);
  });

  it('one that exits in the context of another is charged, and the other is not', async () => {
    const scene = await setScene({ concurrency: 2, retry: { connection_error: { maxRetries: 0 } } });
    await scene.act('lend its context', 'exit as another');
    expect([scene.done(), scene.starts(0)]).toEqual([[0], 2]);
    expect(await lettersOf(scene.bus)).toMatchObject([{ failed: 1, message: { payload: { n: 1 } } }]);
  });
});

describe('one that exits in the context of an attempt that is over', () => {
  it.each([1, 4])('ends no threads without end, of %s at once', async (concurrency) => {
    const scene = await setScene({ concurrency, retry: { connection_error: { maxRetries: 3, backoffMs: 0 } } });
    await scene.act('exit as another', 'wait');
    expect(scene.done()).toContain(1);
    expect(await lettersOf(scene.bus)).toMatchObject([{ reason: 'poison', failed: 2, message: { payload: { n: 0 } } }]);
    // Caught once more, where it comes to a thread that has a context to lend from before.
    expect([3, 4]).toContain(shared.replaced());
  });
});
