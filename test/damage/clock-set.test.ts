// A wall clock that is set, or starts wrong, makes no letter old at once, and hides none.
import { describe, expect, it } from '@jest/globals';
import { headerOf } from '../../src/observe/given-up.js';
import { systemClock } from '../../src/shared/clock.js';
import { FRESH, letterText } from '../../src/shared/letter-text.js';
import type { LogLimits } from '../../src/shared/logging-task.js';
import { Codec } from '../../src/shared/message.js';
import { Minutes } from '../../src/shared/minutes.js';
import { createRedactor } from '../../src/shared/redact.js';
import { Erasure } from '../../workers/logging/erasure.js';
import { Letters } from '../../workers/logging/letters.js';
import { Rollup } from '../../workers/logging/rollup.js';
import { Segments } from '../../workers/logging/segments.js';
import { SteadyTime } from '../../workers/logging/steady-time.js';
import { REPORT } from '../letter-queues.js';
import { temporaryFolder } from '../test-bus.js';

const HOUR = 3600;
const DAY = 24 * HOUR;
const NEW_YEAR = Date.UTC(2030, 0, 1) / 1000;

/** A clock of seconds that passes, and a wall clock that may be set. */
class SetClock {
  wall = NEW_YEAR;
  passed = 0;
  readonly clock = { ...systemClock, now: () => this.wall * 1000, elapsed: () => this.passed * 1000 };

  /** Looks at the time every 10 minutes. */
  pass(seconds: number, time: SteadyTime): void {
    for (let left = seconds; left > 0; left -= 600) {
      this.wall += 600;
      this.passed += 600;
      time.now();
    }
  }
}

describe('the time that letters age by', () => {
  it('does not jump with the wall clock, forwards or backwards, until that has been even for a day', () => {
    const set = new SetClock();
    const time = new SteadyTime(set.clock, NEW_YEAR);
    set.pass(2 * DAY, time);
    expect(time.now()).toBe(set.wall);
    set.wall += 400 * DAY;
    set.pass(HOUR, time);
    expect(time.now()).toBe(NEW_YEAR + 2 * DAY + HOUR);
    set.wall -= 400 * DAY;
    set.pass(DAY - HOUR, time);
    expect(time.now()).toBe(NEW_YEAR + 3 * DAY);
    set.wall -= 7 * DAY;
    set.pass(2 * DAY, time);
    expect(time.now()).toBe(set.wall);
  });

  it('goes on from the last one that is known when a start finds the clock far ahead', () => {
    const set = new SetClock();
    const time = new SteadyTime(set.clock, NEW_YEAR - 100 * DAY);
    set.pass(HOUR, time);
    expect(time.now()).toBe(NEW_YEAR - 100 * DAY + HOUR);
    set.pass(DAY, time);
    expect(time.now()).toBe(set.wall);
  });
});

describe('retention by age', () => {
  it('takes old letters behind those of a clock that was ahead, and none of a clock that was not set', () => {
    const limits = { maxLetters: 100, maxLetterBytes: 1e9, maxLetterAgeMs: 30 * DAY * 1000 } as LogLimits;
    const segments = new Segments(temporaryFolder(), Date.now);
    const letters = new Letters(segments, new Erasure(segments), limits);
    const times = [NEW_YEAR + 500 * DAY, NEW_YEAR - 31 * DAY, 100, NEW_YEAR - 29 * DAY];
    letters.add(
      times.map((at) => {
        const header = headerOf({ topic: 'a', payload: null }, REPORT, 'manual', Codec.JSON, at, createRedactor());
        const { head, tail } = letterText(header, FRESH);
        return { codec: Codec.JSON, head: Buffer.from(head), tail: Buffer.from(tail), payload: Buffer.from('null') };
      }),
    );
    expect(letters.retire(NEW_YEAR, NEW_YEAR, true)).toEqual({ count: 0, bytes: 0, age: 1 });
    expect([...letters.list({}).columns.timestamps]).toEqual([times[0], times[2], times[3]]);
    segments.close();
  });
});

describe('what is counted by time', () => {
  it('forgets the minutes of a clock that was ahead', () => {
    const minutes = new Minutes();
    minutes.add(5, NEW_YEAR + DAY);
    minutes.add(1, NEW_YEAR);
    expect(minutes.sum(60, NEW_YEAR)).toBe(1);
    expect(minutes.sum(60, NEW_YEAR + DAY)).toBe(0);
  });

  it('is told in time, whatever times reports have', () => {
    const rollup = new Rollup();
    const like = (timestamp: number) => ({ ...REPORT, timestamp });
    for (let n = 0; n < 15; n++) rollup.admits(like(n % 2 === 0 ? NEW_YEAR : 0), 1);
    expect(rollup.take(10, false)).toEqual([]);
    expect(rollup.take(11, false)).toMatchObject([{ context: { rollup: { count: 5 } } }]);
  });
});
