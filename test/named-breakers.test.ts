// Breakers by name: one for all threads, looked at and changed by hand from the main thread.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from '@jest/globals';
import { type HandlerContext, MessageBus } from '../src/index.js';
import { BreakerDirectory, type BreakersMemory } from '../src/shared/breaker-directory.js';
import { systemClock } from '../src/shared/clock.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';
import callsTheDatabase from './fixtures/calls-the-database.js';
import doubles from './fixtures/doubles.js';
import holdsAConnection from './fixtures/holds-a-connection.js';
import { shareBus } from './shared-bus.js';
import { accountOf, lettersOf } from './test-bus.js';

const NEVER = { maxRetries: 0, backoffMs: 0 };
const ONCE = { connection_error: NEVER, message_processing_error: NEVER };

const shared = shareBus({ retry: ONCE, breakers: { db: { failureThreshold: 2 } } });

describe('ctx.breaker', () => {
  it('is one breaker for all threads, seen and changed by hand on main', async () => {
    const bus = await shared.beside({ threads: 2, retry: ONCE, breakers: { db: { failureThreshold: 4 } } });
    const changes: string[] = [];
    bus.on('breaker', ({ name, state, previous }) => changes.push(`${name}: ${previous} > ${state}`));
    const options = { lanes: 2, breaker: false as const };
    await bus.subscribe('calls', callsTheDatabase, { subscriberId: 's', ...options });
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const call = (database: string): Promise<unknown[]> =>
      Promise.all(keys.map((key) => bus.request('calls', database, { key }).catch((error: Error) => error.message)));
    expect(new Set(await call('up')).size).toBe(2);
    expect(bus.breaker('db').state).toBe('closed');

    await call('down');
    expect(bus.breaker('db').state).toBe('open');
    expect(bus.breaker('db').retryAfterMs).toBeGreaterThan(59_000);
    expect(bus.getHealthStatus()).toMatchObject({
      circuitBreakerStatus: { db: 'open' },
      reasons: expect.arrayContaining(['breaker db is open']),
    });
    expect(bus.recoveryManager?.getCircuitBreakerStatus()).toEqual({ db: 'open' });
    for (const refused of await call('up')) expect(refused).toContain('circuit breaker "db" is open');
    await expect(bus.breaker('db').execute(() => 1)).rejects.toMatchObject({ code: 'BUSBAR_BREAKER_OPEN' });

    bus.breaker('db').reset();
    expect(new Set(await call('up')).size).toBe(2);
    bus.breaker('db').disable();
    await call('down');
    expect(bus.breaker('db').state).toBe('disabled');
    expect((await call('up')).filter((answer) => typeof answer === 'number')).toHaveLength(8);
    bus.breaker('db').forceOpen();
    for (const refused of await call('up')) expect(refused).toContain('circuit breaker "db" is open');
    expect(changes).toEqual([
      'db: closed > open',
      'db: open > closed',
      'db: closed > disabled',
      'db: disabled > forced_open',
    ]);
  });

  it('makes a breaker with the defaults for a name that nobody configured, also for a plain function', async () => {
    const bus = await shared.beside({ retry: ONCE });
    const seen: string[] = [];
    const calls = async (_: unknown, ctx: HandlerContext): Promise<void> => {
      await ctx.breaker('mail').execute(() => Promise.reject(new Error('down')));
    };
    await bus.subscribe('calls', callsTheDatabase, { subscriberId: 'worker', breaker: false });
    await bus.subscribe('calls', calls, { subscriberId: 'main', breaker: false });
    bus.on('breaker', ({ name }) => seen.push(name));
    for (let n = 0; n < 5; n++) bus.publish('calls', 'down');
    await bus.idle();
    expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ db: 'open', mail: 'open' });
    const deadline = Date.now() + 5000;
    while (seen.length < 2 && Date.now() < deadline) await new Promise((resume) => setTimeout(resume, 5));
    expect(seen.sort()).toEqual(['db', 'mail']);
    expect(accountOf(bus, 'main')).toMatchObject({ deadLettered: 5 });
  });

  it('tells a handler that is refused when to come back, and its message waits so long', async () => {
    const bus = await shared.beside({ breakers: { db: { failureThreshold: 1, recoveryTimeoutMs: 150 } } });
    await bus.subscribe('calls', callsTheDatabase, {
      subscriberId: 's',
      breaker: false,
      retry: { connection_error: { maxRetries: 1, backoffMs: 60_000, jitter: false } },
    });
    bus.breaker('db').reset();
    await expect(bus.breaker('db').execute(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    bus.publish('calls', 'up');
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 1 });
    expect(bus.breaker('db').state).toBe('closed');
  });
});

describe('a subscription’s breaker', () => {
  it('may be one of the bus’s, and then holds its lanes with it', async () => {
    const { bus } = shared;
    await bus.subscribe('numbers', doubles, { subscriberId: 's', breaker: { name: 'db' } });
    bus.breaker('db').forceOpen();
    bus.publish('numbers', 1);
    const health = () => bus.getHealthStatus().subscriptions[0];
    while (health()?.held !== true) await new Promise((resume) => setTimeout(resume, 5));
    expect(health()).toMatchObject({ breaker: 'forced_open', succeeded: 0, pending: 1 });
    bus.breaker('db').reset();
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 1, pending: 0 });
  });

  it('is opened and closed by hand under its own name', async () => {
    const { bus } = shared;
    const subscription = await bus.subscribe('numbers', doubles, { subscriberId: 's', whenOpen: 'dead-letter' });
    bus.breaker('numbers#s').forceOpen();
    bus.publish('numbers', 1);
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([{ reason: 'breaker_open' }]);
    bus.breaker('numbers#s').reset();
    bus.publish('numbers', 1);
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 1 });
    await subscription.unsubscribe();
    expect(bus.getHealthStatus().circuitBreakerStatus).not.toHaveProperty('numbers#s');
  });

  it('is shared by name, and not given two different sets of options', async () => {
    const { bus } = shared;
    const breaker = { name: 'both', failureThreshold: 7 };
    await bus.subscribe('a', doubles, { subscriberId: 's', breaker });
    await bus.subscribe('b', doubles, { subscriberId: 's', breaker });
    bus.breaker('both').forceOpen();
    const states = bus.getHealthStatus().subscriptions.map((subscription) => subscription.breaker);
    expect(states).toEqual(['forced_open', 'forced_open']);
    for (const other of [
      { name: 'both', failureThreshold: 8 },
      { name: 'db', failureThreshold: 8 },
    ]) {
      await expect(bus.subscribe('c', doubles, { subscriberId: 's', breaker: other })).rejects.toMatchObject({
        code: 'BUSBAR_INVALID_OPTION',
        message: expect.stringContaining(other.name),
      });
    }
    await bus.subscribe('c', doubles, { subscriberId: 's', breaker: { name: 'db' } });
  });

  it('that was given a name is the one that handlers know by it, also those that run already', async () => {
    const bus = await shared.beside({ retry: ONCE });
    await bus.subscribe('others', callsTheDatabase, { subscriberId: 's', breaker: false });
    expect(await bus.request('others', 'up')).toEqual(expect.any(Number));
    await expect(
      bus.subscribe('c', doubles, { subscriberId: 's', breaker: { name: 'db', failureThreshold: 2 } }),
    ).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
    await bus.subscribe('numbers', doubles, { subscriberId: 's', breaker: { name: 'db' } });
    for (let n = 0; n < 5; n++) bus.publish('others', 'down');
    await bus.idle();
    bus.publish('numbers', 1);
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 1, deadLettered: 5 });
    expect(bus.getHealthStatus().subscriptions[1]).toMatchObject({ pattern: 'numbers', breaker: 'open', pending: 1 });
    expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ db: 'open' });
  });

  it('takes other options for its name when no subscription has it any more', async () => {
    const { bus } = shared;
    const first = await bus.subscribe('a', doubles, {
      subscriberId: 's',
      breaker: { name: 'mine', failureThreshold: 7 },
    });
    await first.unsubscribe();
    await bus.subscribe('a', callsTheDatabase, {
      subscriberId: 's',
      breaker: { name: 'mine', failureThreshold: 1 },
      whenOpen: 'dead-letter',
    });
    bus.breaker('db').disable();
    await Promise.allSettled([bus.request('a', 'down')]);
    expect(bus.breaker('mine').state).toBe('open');
    bus.breaker('db').reset();
  });

  it.each([['that begin later'], ['whose lane runs already']])(
    'and its window are known to handlers %s',
    async (when) => {
      const bus = await shared.beside({ retry: ONCE, threads: 2 });
      const breaker = { name: 'db', window: { calls: 4, minimumCalls: 2, failureRate: 0.5 } };
      const begin = async (): Promise<void> => {
        await bus.subscribe('others', callsTheDatabase, { subscriberId: 'o', breaker: false });
        expect(await bus.request('others', 'leave it alone')).toEqual(expect.any(Number));
      };
      if (when === 'whose lane runs already') await begin();
      await bus.subscribe('numbers', doubles, { subscriberId: 's', breaker });
      if (when === 'that begin later') await begin();
      for (let n = 0; n < 2; n++) bus.publish('others', 'down');
      await bus.idle();
      expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ db: 'open' });
    },
  );

  it.each<unknown>([
    'db',
    { db: null },
    { db: { failureThreshold: 0 } },
    { db: { window: { calls: 0 } } },
    { db: { failures: 5 } },
  ])('refuses the breakers %j', (breakers) => {
    expect(() => new MessageBus({ breakers } as object)).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }),
    );
  });

  it('opens on rates where it was given a window', async () => {
    const { bus } = shared;
    const window = { calls: 10, minimumCalls: 4, failureRate: 0.5 };
    await bus.subscribe('calls', callsTheDatabase, { subscriberId: 's', breaker: { window }, whenOpen: 'dead-letter' });
    bus.breaker('db').disable();
    for (const database of ['down', 'up', 'down', 'up', 'up']) bus.publish('calls', database);
    await bus.idle();
    expect(bus.getHealthStatus().circuitBreakerStatus['calls#s']).toBe('open');
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 2, deadLettered: 3 });
  });
});

describe('the directory of breakers', () => {
  const allocate = (): BreakersMemory => ({ configured: [], directory: BreakerDirectory.allocate() });

  it('gives all threads the same breaker, whoever asks first', async () => {
    const memory = allocate();
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const names = Array.from({ length: 120 }, (_, n) => `breaker ${n}`);
    const url = new URL('./fixtures/names-breakers.js', import.meta.url);
    const workers = [0, 1, 2, 3, 4].map((n) => {
      const turned = [...names.slice(n * 24), ...names.slice(0, n * 24)];
      return new Worker(url, { workerData: { memory, gate, names: n % 2 === 0 ? turned : turned.reverse() } });
    });
    while (Atomics.load(gate, 0) < workers.length) await new Promise((resume) => setTimeout(resume, 1));
    Atomics.store(gate, 1, 1);
    await Promise.all(workers.map((worker) => once(worker, 'exit')));
    const directory = new BreakerDirectory(memory, systemClock);
    expect(directory.names().sort()).toEqual([...names].sort());
    // Five failures open it: one from each thread, none lost in a breaker of the same name.
    for (const name of names) expect(directory.of(name).state).toBe('open');
  });

  it('refuses names that are none, and more than it has room for', () => {
    const directory = new BreakerDirectory(allocate(), systemClock);
    for (const name of ['', 'x'.repeat(185), 5, null, undefined]) {
      expect(() => directory.of(name as string)).toThrow(expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }));
    }
    for (let n = 0; n < 512; n++) directory.of(`b${n}`);
    expect(directory.of('b5').name).toBe('b5');
    expect(() => directory.of('one more')).toThrow(expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }));
  });
});

describe('the place of a probe that has failed, and waits for its connection', () => {
  it('is not freed once more, at the cost of another probe, when its thread ends', async () => {
    const clock = new SteppedClock();
    const bus = await shared.beside({ clock, retry: ONCE });
    const breaker = { name: 'db', failureThreshold: 1, recoveryTimeoutMs: 1000, halfOpenProbes: 2 };
    await bus.subscribe('use', holdsAConnection, { subscriberId: 's', concurrency: 2, breaker });
    const until = async (isTrue: () => boolean): Promise<void> => {
      while (!isTrue()) await new Promise((resume) => setTimeout(resume, 5));
    };
    const db = bus.breaker('db');
    // By nothing that is tried again: that would be a probe, too.
    await expect(db.execute(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
    clock.step(1000);
    bus.publish('use', 'hang');
    await until(() => db.state === 'open');
    clock.step(1000);
    void db.execute(() => new Promise(() => undefined));
    bus.publish('use', 'exit once');
    await until(() => bus.getHealthStatus().threads.replaced === 1);
    await until(() => bus.getHealthStatus().subscriptions[0]?.inFlight === 1);
    await expect(db.execute(() => 1)).rejects.toMatchObject({ code: 'BUSBAR_BREAKER_OPEN' });
  });
});
