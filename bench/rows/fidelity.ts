// Whether all messages arrive, once each, in the order in which they were published: ten million of them.
import { openSubscribed } from '../contenders/busbar.js';
import receivesNumbered from '../contenders/receives-numbered.js';
import { faultsSoFar, receivedSoFar } from '../load/receive.js';
import type { Row } from '../run/row.js';

/** With the warm-up. */
const ROUNDS = 4;
const MESSAGES = 10_000_000 / ROUNDS;
const QUICK_MESSAGES = 1_000_000 / ROUNDS;
const WINDOW = 4096;

export const fidelity: readonly Row[] = [
  {
    name: 'messages lost, doubled or out of order',
    payload: '64 B',
    inflight: WINDOW,
    unit: 'messages',
    better: 'lower',
    rounds: ROUNDS - 1,
    contenders: {
      busbar: async ({ isQuick }) => {
        const { bus, close } = await openSubscribed(receivesNumbered);
        const payload = new Uint8Array(64);
        const number = new DataView(payload.buffer);
        let sent = 0;
        const measure = async (): Promise<number> => {
          const before = faultsSoFar();
          const began = receivedSoFar() - sent;
          const last = sent + (isQuick ? QUICK_MESSAGES : MESSAGES);
          while (sent < last) {
            const until = Math.min(last, receivedSoFar() - began + WINDOW);
            for (; sent < until; sent++) {
              number.setInt32(0, sent);
              if (!bus.publish('bench', payload)) throw new Error(`message ${sent} was refused`);
            }
            await new Promise((resume) => setImmediate(resume));
          }
          await bus.idle();
          // What went missing at the end leaves no gap behind it.
          const faults = faultsSoFar() - before + Math.abs(last - (receivedSoFar() - began));
          if (faults > 0) throw new Error(`${faults} of ${last} messages were lost, doubled or out of order`);
          return faults;
        };
        return { measure, close };
      },
    },
    goals: [{ name: 'messages lost, doubled or out of order', atMost: 0 }],
  },
];
