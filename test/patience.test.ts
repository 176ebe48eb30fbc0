// What servers that elect their leader do not answer is asked again, until the bus stops; what they refuse is not.
import { expect, it } from '@jest/globals';
import { type ConsumerParts, prepareConsumer } from '../src/transport/consumers.js';
import { patiently } from '../src/transport/patience.js';
import { OPENING } from '../src/transport/wire.js';

/** As the NATS client names its errors. */
function named(name: string): Error {
  return Object.assign(new Error('it failed'), { name });
}

it('asks again while nobody answers, and says once somebody does', async () => {
  const failures = [named('TimeoutError'), named('RequestError')];
  const answer = patiently('looking', async () => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return 'here';
  });
  await expect(answer).resolves.toBe('here');
  expect(failures).toEqual([]);
});

it('asks once where the answer is no, or nobody is asked any more', async () => {
  for (const [name, code] of [
    ['PermissionViolationError', 'BUSBAR_TRANSPORT_PERMISSION'],
    ['InvalidNameError', 'BUSBAR_TRANSPORT_SETTINGS'],
    ['ClosedConnectionError', 'BUSBAR_TRANSPORT_CONNECTION'],
  ] as const) {
    let asked = 0;
    const answer = patiently('looking', () => {
      asked++;
      return Promise.reject(named(name));
    });
    await expect(answer).rejects.toMatchObject({ code, message: 'looking: it failed' });
    expect(asked).toBe(1);
  }
});

it('asks no more once the bus stops, and waits for no answer, whatever was asked before', async () => {
  const code = 'BUSBAR_NOT_RUNNING';
  for (const isSilent of [true, false]) {
    const stopping = new AbortController();
    let asked = 0;
    const ask = (): Promise<never> => {
      asked++;
      return isSilent ? new Promise(() => undefined) : Promise.reject(named('TimeoutError'));
    };
    const answer = patiently('looking', ask, stopping.signal);
    await new Promise((resume) => setImmediate(resume));
    stopping.abort();
    await expect(answer).rejects.toMatchObject({ code, message: 'looking: the bus is stopping' });
    await expect(patiently('looking', ask, stopping.signal)).rejects.toMatchObject({ code });
    expect(asked).toBe(2);
  }
});

it('gives a consumer that was made its first message, also where the answer to that got lost', async () => {
  for (const [answers, written] of [
    [[true], 1],
    [[named('TimeoutError'), false], 1],
    [[false], 0],
  ] as const) {
    const left = [...answers];
    const writes: unknown[][] = [];
    const connection = {
      ensureConsumer: async (_stream: string, _name: string, settings: object) => {
        const isNew = left.shift();
        if (typeof isNew !== 'boolean') throw isNew;
        return { settings, isNew };
      },
      write: async (...what: unknown[]) => writes.push(what),
    } as unknown as ConsumerParts['connection'];
    const report = (thrown: unknown): never => {
      throw thrown;
    };
    const names = { stream: 's', consumer: 'c', subject: 's.0.a.*.>' };
    await prepareConsumer({ ...names, connection, ackWaitMs: 500, stopping: new AbortController().signal, report });
    expect(writes).toEqual(Array.from({ length: written }, () => ['s.0.a._._', OPENING]));
  }
});
