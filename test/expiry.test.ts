// What waits on main and has outlived its time is taken out, wherever it stands, and all the rest stays as it was.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Delivery } from '../src/shared/delivery.js';
import { PRIORITIES } from '../src/shared/message.js';
import { Backlog } from '../src/threads/backlog.js';

describe('a backlog', () => {
  it('loses those that have expired, and keeps the order of the others', () => {
    const action = fc.oneof(
      fc.record({ priority: fc.constantFrom(...PRIORITIES), expiresAt: fc.nat(3) }),
      fc.record({ now: fc.nat(4) }),
      fc.record({ taken: fc.nat(2) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
        const backlog = new Backlog();
        let model: Delivery[] = [];
        const inOrder = (): Delivery[] =>
          [...PRIORITIES].reverse().flatMap((priority) => model.filter((delivery) => delivery.priority === priority));
        for (const [number, step] of actions.entries()) {
          if ('priority' in step) {
            const delivery = { ...step, number, bytes: new Uint8Array(number % 7) } as Delivery;
            backlog.push(delivery);
            model.push(delivery);
          } else if ('now' in step) {
            const isOver = ({ expiresAt }: Delivery): boolean => expiresAt > 0 && expiresAt < step.now;
            const expired = backlog.takeExpired(step.now);
            expect(new Set(expired)).toEqual(new Set(model.filter(isOver)));
            model = model.filter((delivery) => !isOver(delivery));
          } else {
            const taken: Delivery[] = [];
            backlog.moveTo((delivery) => taken.length < step.taken && taken.push(delivery) > 0);
            expect(taken).toEqual(inOrder().slice(0, step.taken));
            model = model.filter((delivery) => !taken.includes(delivery));
          }
          expect(backlog.size).toBe(model.length);
          expect(backlog.bytes).toBe(model.reduce((sum, { bytes }) => sum + bytes.byteLength, 0));
        }
        expect(backlog.clear()).toEqual(inOrder());
      }),
    );
  });
});
