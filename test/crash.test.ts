// A process that is killed while it adds or replays letters loses none that it was told of, and doubles none.
import { expect, it } from '@jest/globals';
import { crashRounds } from './crash/rounds.js';
import { temporaryFolder } from './test-bus.js';

it('survives kill -9 at random moments; npm run crash does it 200 times', async () => {
  const { faults, accepted, resolved } = await crashRounds(3, 20, temporaryFolder());
  expect(faults).toEqual([]);
  expect(accepted).toBeGreaterThan(0);
  expect(resolved).toBeGreaterThan(0);
}, 60_000);
