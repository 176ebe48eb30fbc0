// Whatever happens to the files, the start succeeds, keeps all that is intact, and counts the rest.
import { expect, it } from '@jest/globals';
import { damageCases } from './damage/cases.js';
import { temporaryFolder } from './test-bus.js';

it('keeps what is intact of a damaged folder; npm run damage tries 10 000 ways', async () => {
  const { faults, kept, counted } = await damageCases(25, 4, temporaryFolder());
  expect(faults).toEqual([]);
  expect(kept).toBeGreaterThan(100);
  expect(counted).toBeGreaterThan(10);
});
