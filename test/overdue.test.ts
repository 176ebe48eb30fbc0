// How main tells that a thread has to end, and for whom: what is overdue, whether its loop turns, who is waited for.
import { describe, expect, it, jest } from '@jest/globals';
import { systemClock } from '../src/shared/clock.js';
import { Turn } from '../src/shared/lane-task.js';
import { Blame } from '../src/threads/blame.js';
import type { LaneOptions } from '../src/threads/lane-contract.js';
import type { Suspect } from '../src/threads/lane-ring.js';
import type { LaneRings } from '../src/threads/lane-rings.js';
import { LaneSignals } from '../src/threads/lane-signals.js';
import { LaneThread } from '../src/threads/lane-thread.js';
import { Patience } from '../src/threads/patience.js';
import { Pulse } from '../src/threads/pulse.js';
import { Reprieve } from '../src/threads/reprieve.js';

describe('a thread with several attempts, some of them overdue', () => {
  const graceMs = 200;
  const rule = { timeoutMs: 1000, isObserved: false, minTimeoutMs: 0, maxTimeoutMs: 1000 };

  /** Looked at whenever it is told to; its first attempt is overdue after 1200 ms. */
  function threadWith(...attempts: Partial<Suspect>[]) {
    const started = attempts.map((attempt) => ({ startedAt: 0, timeouts: 0, runsAgain: false, ...attempt }) as Suspect);
    const rings = { started: () => started, unsettled: 9 } as unknown as LaneRings;
    const blame = new Blame(new Patience(rule, graceMs));
    const options = { graceMs, shape: { concurrency: 4 }, handler: { setupTimeoutMs: 1 } } as LaneOptions;
    const signals = new LaneSignals();
    const thread = new LaneThread(rings, signals, blame, options, () => undefined);
    const kill = thread.begin(0, 1);
    signals.beginDrain();
    const turn = new Int32Array(signals.turnMemory);
    const look = (elapsed: number, hasTurned = true): boolean => {
      if (hasTurned) Atomics.add(turn, Turn.BEAT, 1);
      thread.check(elapsed);
      return kill.aborted;
    };
    for (let elapsed = 50; elapsed <= 1200; elapsed += 50) expect(look(elapsed)).toBe(false);
    return {
      look,
      started,
      isAsked: () => signals.isAsked,
      judge: () => blame.judge('killed', started, thread.ending, null),
    };
  }

  it('begins no others, waits for those in time, and is ended for the overdue alone', () => {
    const { look, started, isAsked, judge } = threadWith({}, { startedAt: 1100 });
    expect([isAsked(), look(1225), look(1250), isAsked()]).toEqual([false, false, false, true]);
    started.pop();
    expect(look(1275)).toBe(true);
    expect(judge()).toEqual({ culprits: started, cause: 'never-settled', suspected: [], innocent: [] });
  });

  it('waits for them no longer than the grace: they run again for free', () => {
    const { look, started, judge } = threadWith({}, { startedAt: 1100 });
    expect([1225, 1325, 1425, 1450].map((elapsed) => look(elapsed))).toEqual([false, false, false, true]);
    expect(judge()).toMatchObject({ culprits: [started[0]], suspected: [], innocent: [started[1]] });
  });

  it('waits for those that run again up to their own deadlines', () => {
    const { look, started, judge } = threadWith({}, { startedAt: 1100, runsAgain: true });
    for (let elapsed = 1225; elapsed <= 2300; elapsed += 25) expect(look(elapsed)).toBe(false);
    expect(look(2325)).toBe(true);
    expect(judge()).toMatchObject({ culprits: started, suspected: [], innocent: [] });
  });

  it('is ended before, and for any of them, once its loop stands still', async () => {
    const { look, started, judge } = threadWith({}, { startedAt: 1100 });
    for (let elapsed = 1225; !look(elapsed, false); elapsed++) await new Promise((resume) => setTimeout(resume, 20));
    expect(judge()).toMatchObject({ culprits: [], suspected: started, innocent: [] });
  });

  it('is not taken for one whose loop turns where no time has passed between two looks', () => {
    const { look, judge } = threadWith({}, { startedAt: 1100 });
    const now = systemClock.elapsed();
    const elapsed = jest.spyOn(systemClock, 'elapsed').mockImplementation(() => now);
    expect([look(1225), look(1325), look(1425)]).toEqual([false, false, false]);
    expect([look(1450, false), look(1451, false)]).toEqual([false, false]);
    elapsed.mockRestore();
    expect(look(1475)).toBe(true);
    expect(judge()).toMatchObject({ cause: 'never-settled' });
  });

  it('is ended at once for the only one that runs', () => {
    const { look, started, judge } = threadWith({});
    expect(look(1225)).toBe(true);
    expect(judge()).toMatchObject({ culprits: started, cause: 'never-settled' });
  });
});

describe('a thread that a handler has ended', () => {
  const blame = new Blame(new Patience({ timeoutMs: 1, isObserved: false, minTimeoutMs: 0, maxTimeoutMs: 1 }, 0));
  const [one, another, again] = [false, false, true].map((runsAgain) => ({ runsAgain }) as Suspect) as [
    Suspect,
    Suspect,
    Suspect,
  ];
  const all = [one, another, again];

  const nobody = { culprits: [], suspected: [], innocent: [] };

  it('is the doing of the one that is named, if it was alone', () => {
    expect(blame.judge('exited', [one], null, [one])).toMatchObject({ ...nobody, culprits: [one], cause: 'exited' });
  });

  it('has the one that is named looked at alone, where there were others, and so any that was caught in one before', () => {
    expect(blame.judge('exited', all, null, [one])).toMatchObject({
      ...nobody,
      suspected: [one, again],
      innocent: [another],
    });
  });

  it('is the doing of nobody where one that is over is named; who is there again, is looked at alone, and then charged', () => {
    const inQuarantine = new Blame(blame.patience, true);
    const judge = (by: Blame, ...suspects: Suspect[]) => by.judge('exited', suspects, null, []);
    expect(judge(blame)).toMatchObject(nobody);
    expect(judge(blame, one)).toMatchObject({ ...nobody, innocent: [one] });
    expect(judge(blame, again)).toMatchObject({ ...nobody, suspected: [again] });
    expect(judge(blame, ...all)).toMatchObject({ ...nobody, suspected: [again], innocent: [one, another] });
    expect(judge(inQuarantine, one)).toMatchObject({ ...nobody, innocent: [one] });
    expect(judge(inQuarantine, again)).toMatchObject({ ...nobody, culprits: [again], cause: 'exited' });
  });

  it('is the doing of any of them, where none is named', () => {
    expect(blame.judge('exited', all, null, null)).toMatchObject({ culprits: [], suspected: all, innocent: [] });
    expect(blame.judge('out-of-memory', [one], null, null)).toMatchObject({ culprits: [one], cause: 'out-of-memory' });
    expect(blame.judge('stuck', all, null, null)).toMatchObject({ culprits: [], suspected: [], innocent: all });
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

describe('a reprieve', () => {
  const overdue = (...startedAt: number[]): Suspect[] => startedAt.map((at) => ({ startedAt: at }) as Suspect);

  it('is not for what ran past its deadline while main looked on', () => {
    const reprieve = new Reprieve(50);
    reprieve.reset(1000);
    for (const elapsed of [1025, 1125, 1150]) expect(reprieve.spares([], elapsed)).toBe(false);
    expect(reprieve.spares(overdue(1010), 1250)).toBe(false);
  });

  it('gives what could not hear its signal, for the process stood still, its grace from now on, and once', () => {
    const reprieve = new Reprieve(50);
    reprieve.reset(1000);
    expect(reprieve.spares(overdue(1010, 1020), 1101)).toBe(true);
    expect(reprieve.spares(overdue(1010, 1020), 1151)).toBe(true);
    expect(reprieve.spares(overdue(1010, 1020), 1152)).toBe(false);
    expect(reprieve.spares(overdue(1010), 9000)).toBe(false);
    expect(reprieve.spares(overdue(1010, 8000), 9500)).toBe(false);
    expect(reprieve.spares(overdue(8000), 10_000)).toBe(true);
  });

  it('begins with the drain, and not with the last look at the one before', () => {
    const reprieve = new Reprieve(50);
    reprieve.reset(1000);
    reprieve.reset(5000);
    expect(reprieve.spares(overdue(5000), 5025)).toBe(false);
  });
});
