// What error handling costs when nothing fails.
import { openReceiving } from '../contenders/busbar.js';
import { openSilent } from '../contenders/post-message.js';
import { BYTES_64, type Load, OBJECT_200 } from '../load/payloads.js';
import { stream } from '../load/stream.js';
import type { Open, Row, Run } from '../run/row.js';

const PACED_PER_MS = 1;

export const errorHandling: readonly Row[] = [
  ...[BYTES_64, OBJECT_200].map(
    (load): Row => ({
      name: 'error handling on',
      isDetail: load !== BYTES_64,
      payload: load.label,
      inflight: load.window,
      unit: 'msg/s',
      better: 'higher',
      contenders: { busbar: streaming(load, true), 'busbar, off': streaming(load, false) },
      goals: [{ timesAsGoodAs: 'busbar, off', atLeast: 0.95 }],
    }),
  ),
  {
    name: 'processor time at 1000 messages a second',
    payload: BYTES_64.label,
    inflight: 0,
    unit: '% of a core',
    better: 'lower',
    contenders: {
      busbar: pacedBus(true),
      'busbar, off': pacedBus(false),
      postMessage: async (run) => {
        const worker = await openSilent();
        const measure = (): Promise<number> => processorTime(() => worker.postMessage(BYTES_64.payload), run);
        return { measure, close: async () => void (await worker.terminate()) };
      },
    },
    goals: [{ name: 'processor time of error handling at 1000 messages a second', beyond: 'busbar, off', atMost: 1 }],
  },
];

function streaming(load: Load, enableErrorHandling: boolean): Open {
  return async ({ sliceMs }) => {
    const { bus, close } = await openReceiving(load, { enableErrorHandling });
    return {
      measure: () => stream(() => bus.publish('bench', load.payload), { window: load.window, ms: sliceMs }),
      close,
    };
  };
}

function pacedBus(enableErrorHandling: boolean): Open {
  return async (run) => {
    const { bus, close } = await openReceiving(BYTES_64, { enableErrorHandling });
    return { measure: () => processorTime(() => bus.publish('bench', BYTES_64.payload), run), close };
  };
}

/** All threads of the process together, while messages come at a leisurely pace. */
async function processorTime(send: () => unknown, { sliceMs }: Run): Promise<number> {
  const began = performance.now();
  const before = process.cpuUsage();
  let sent = 0;
  while (performance.now() - began < sliceMs * 6) {
    for (const due = (performance.now() - began) * PACED_PER_MS; sent < due; sent++) send();
    await new Promise((resume) => setTimeout(resume, 1));
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1000 / (performance.now() - began)) * 100;
}
