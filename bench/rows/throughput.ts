// How many messages a second: fire-and-forget against postMessage, and with a promise each against the pools.
import { openSubscribed } from '../contenders/busbar.js';
import { piscinaRun } from '../contenders/piscina.js';
import { poolsWithPromises } from '../contenders/pools.js';
import { postMessageStream } from '../contenders/post-message.js';
import receives from '../contenders/receives.js';
import { BYTES_64, KIB_1, KIB_64, type Load, MIB_1, OBJECT_200 } from '../load/payloads.js';
import { promiseEach } from '../load/promise-each.js';
import { stream } from '../load/stream.js';
import type { Goal, Open, Row } from '../run/row.js';

const LOADS = [BYTES_64, OBJECT_200, KIB_1, KIB_64, MIB_1];
/** From here on the handler gets a view, and the ring holds some of them. */
const LARGE_BYTES = 64 * 1024;
const LARGE_RING_BYTES = 16 * 1024 * 1024;

const STREAM_GOALS: Readonly<Record<string, number>> = { '64 B': 4, '200 B object': 1.5, '64 KB': 1.5, '1 MB': 1.7 };
const PROMISE_GOALS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  '64 B': { 64: 8, 512: 20 },
  '200 B object': { 64: 2, 512: 4 },
};

export const throughput: readonly Row[] = [
  ...LOADS.map(
    (load): Row => ({
      name: 'fire and forget',
      payload: load.label,
      inflight: load.window,
      unit: 'msg/s',
      better: 'higher',
      contenders: { busbar: busbarStream(load), postMessage: postMessageStream(load) },
      goals: goal('postMessage', STREAM_GOALS[load.label]),
    }),
  ),
  ...LOADS.flatMap((load) =>
    // 512 messages of 1 MB would be half of a small machine's memory.
    (load === MIB_1 ? [64] : [64, 512]).map(
      (inflight): Row => ({
        name: 'a promise each',
        payload: load.label,
        inflight,
        unit: 'calls/s',
        better: 'higher',
        contenders: {
          busbar: busbarRequests(load, inflight),
          piscina: piscinaRun(load, inflight),
          ...poolsWithPromises(load, inflight),
        },
        goals: goal('piscina', PROMISE_GOALS[load.label]?.[inflight]),
      }),
    ),
  ),
];

function busbarStream(load: Load): Open {
  return async ({ sliceMs }) => {
    const { bus, close } = await openFor(load);
    return { measure: () => stream(() => bus.publish('bench', load.payload), load.window, sliceMs), close };
  };
}

function busbarRequests(load: Load, inflight: number): Open {
  return async ({ sliceMs }) => {
    const { bus, close } = await openFor(load);
    const call = (): Promise<unknown> => bus.request('bench', load.payload);
    return { measure: () => promiseEach(call, load.reply, inflight, sliceMs), close };
  };
}

function openFor({ payload }: Load): ReturnType<typeof openSubscribed> {
  const isLarge = payload instanceof Uint8Array && payload.length >= LARGE_BYTES;
  return openSubscribed(
    receives,
    isLarge ? { ringBytes: LARGE_RING_BYTES, maxQueueBytes: 2 ** 28 } : {},
    isLarge ? { bytes: 'view' } : {},
  );
}

function goal(peer: string, atLeast: number | undefined): readonly Goal[] {
  return atLeast === undefined ? [] : [{ timesAsGoodAs: peer, atLeast }];
}
