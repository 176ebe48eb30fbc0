// What servers that elect their leader do not answer is asked again; what they refuse is not.
import { expect, it } from '@jest/globals';
import { patiently } from '../src/transport/patience.js';

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
