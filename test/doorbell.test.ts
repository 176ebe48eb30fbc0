// How a lane sleeps whose main glances at its bell, and may have no time to look whether it was heard.
import { describe, expect, it } from '@jest/globals';
import { Doorbell } from '../src/shared/doorbell.js';

describe.each([
  ['dozes first', 2],
  ['has handlers at work', 0],
])('a lane that %s', (_, dozes) => {
  it('finds what came without a ring just as it fell asleep', async () => {
    const bell = new Doorbell(Doorbell.allocate());
    let looks = 0;
    await bell.sleep(() => ++looks > 1, undefined, dozes);
    expect(looks).toBe(2);
  });

  it('sleeps until it is rung, and looks no more until then', async () => {
    const memory = Doorbell.allocate();
    const bell = new Doorbell(memory);
    let looks = 0;
    let isAwake = false;
    const sleep = bell
      .sleep(() => ++looks < 0, undefined, dozes)
      .then(() => {
        isAwake = true;
      });
    // Dozes and the second look are over by then; what comes after them would be a poll.
    for (let before = -1; before < looks; await new Promise((resume) => setTimeout(resume, 20))) before = looks;
    expect({ isAwake, looks: looks <= 3 }).toEqual({ isAwake: false, looks: true });
    new Doorbell(memory).ring();
    await sleep;
  });
});
