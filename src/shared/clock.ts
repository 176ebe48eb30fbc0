// The one place that reads time and starts timers, so that tests can step both.
// Imported, because the global is an accessor: 25 ns a look.
import { performance } from 'node:perf_hooks';

/** A timer that can be cancelled. */
export interface Timer {
  /** Harmless when it has fired or was cancelled. */
  cancel(): void;
}

/** Where every part of busbar gets its time from. Runs on every thread. */
export interface Clock {
  /** Where worker threads read the same time; see `busbar/testing`. A clock without it moves the main thread alone: deadlines and breakers, which threads share, go by the system's. */
  readonly memory?: SharedArrayBuffer;
  /** Wall-clock time in milliseconds since 1970. */
  now(): number;
  /** Monotonic time in milliseconds, with fractions, comparable between the threads of this process. */
  elapsed(): number;
  /** Calls `run` once after `delayMs`. A timer does not keep the process alive unless `keepAlive` is set. */
  after(delayMs: number, run: () => void, keepAlive?: boolean): Timer;
  /**
   * Calls `run` once at this time of `elapsed()`. Needed only of a clock that another thread steps: it may go on between a
   * look at it and a call of `after`.
   */
  at?(elapsedMs: number, run: () => void): Timer;
  /** Calls `run` every `periodMs` until cancelled. */
  every(periodMs: number, run: () => void, keepAlive?: boolean): Timer;
}

/** Calls `run` once at this time of `clock.elapsed()`. */
export function timerAt(clock: Clock, elapsedMs: number, run: () => void): Timer {
  return clock.at?.(elapsedMs, run) ?? clock.after(Math.max(0, elapsedMs - clock.elapsed()), run);
}

/** What the threads of a bus that was given this clock agree on. */
export function sharedClock(clock: Clock): Clock {
  return clock.memory === undefined ? systemClock : clock;
}

/** setTimeout fires at once for longer delays; the longest real timer is about 24.8 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** performance.now() counts from the start of its own thread; timeOrigin makes threads comparable. */
const origin = performance.timeOrigin;

/** The real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => origin + performance.now(),
  after(delayMs, run, keepAlive = false) {
    const timer = setTimeout(run, Math.min(delayMs, LONGEST_TIMER_MS));
    if (!keepAlive) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs, run, keepAlive = false) {
    const timer = setInterval(run, Math.min(periodMs, LONGEST_TIMER_MS));
    if (!keepAlive) timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
};
