// How many messages a second: fire-and-forget against postMessage, and with a promise each against the pools.
import { bareRingCalls } from '../contenders/bare-ring.js';
import { busbarCalls, openReceiving } from '../contenders/busbar.js';
import { contenderOf, type OpenCalls } from '../contenders/calls.js';
import { piscinaCalls } from '../contenders/piscina.js';
import { POOLS } from '../contenders/pools.js';
import { openSilent } from '../contenders/post-message.js';
import { BYTES_64, KIB_1, KIB_64, type Load, MIB_1, OBJECT_200 } from '../load/payloads.js';
import { promiseEach } from '../load/promise-each.js';
import { stream } from '../load/stream.js';
import type { Goal, Open, Row } from '../run/row.js';

/** Piscina's distance shrinks with the payload: the two small ones tell most. */
const DETAILS: readonly Load[] = [KIB_1, KIB_64, MIB_1];
/** Their payloads lie in a ring whatever it is. */
const BARE: readonly Load[] = [BYTES_64, OBJECT_200];
const LOADS = [BYTES_64, OBJECT_200, KIB_1, KIB_64, MIB_1];

const STREAM_GOALS: Readonly<Record<string, number>> = { '64 B': 4, '200 B object': 1.5, '64 KB': 1.5, '1 MB': 1.7 };
const PROMISE_GOALS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  '64 B': { 64: 8, 512: 20 },
  '200 B object': { 64: 2, 512: 4 },
};

export const throughput: readonly Row[] = [...LOADS.map(streamRow), ...LOADS.flatMap(promiseRows)];

function streamRow(load: Load): Row {
  return {
    name: 'fire and forget',
    payload: load.label,
    inflight: load.window,
    unit: 'msg/s',
    better: 'higher',
    isDetail: load === KIB_1,
    contenders: { busbar: busbarStream(load), postMessage: postMessageStream(load) },
    goals: goal('postMessage', STREAM_GOALS[load.label]),
  };
}

function busbarStream({ payload, window, ...load }: Load): Open {
  return async ({ sliceMs }) => {
    const { bus, close } = await openReceiving({ payload, window, ...load });
    return { measure: () => stream(() => bus.publish('bench', payload), { window, ms: sliceMs }), close };
  };
}

function postMessageStream({ payload, window }: Load): Open {
  return async ({ sliceMs }) => {
    const worker = await openSilent();
    const send = (): boolean => {
      worker.postMessage(payload);
      return true;
    };
    return {
      measure: () => stream(send, { window, ms: sliceMs }),
      close: async () => {
        await worker.terminate();
      },
    };
  };
}

function promiseRows(load: Load): Row[] {
  // 512 messages of 1 MB would be half of a small machine's memory.
  const inflights = load === MIB_1 ? [64] : [64, 512];
  return inflights.map((inflight) => {
    const contender = (open: OpenCalls): Open =>
      contenderOf(
        open,
        load.payload,
        async (call, { sliceMs }) =>
          () =>
            promiseEach(call, load.reply, inflight, sliceMs),
      );
    const pools = Object.entries(POOLS).map(([name, open]) => [name, contender(open)]);
    return {
      name: 'a promise each',
      payload: load.label,
      inflight,
      unit: 'calls/s',
      better: 'higher',
      contenders: {
        busbar: contender(busbarCalls(load)),
        piscina: contender(piscinaCalls(load, inflight)),
        ...Object.fromEntries(pools),
        ...(BARE.includes(load) ? { 'bare ring': contender(bareRingCalls) } : {}),
      },
      isDetail: DETAILS.includes(load),
      goals: goal('piscina', PROMISE_GOALS[load.label]?.[inflight]),
    };
  });
}

function goal(peer: string, atLeast: number | undefined): readonly Goal[] {
  return atLeast === undefined ? [] : [{ timesAsGoodAs: peer, atLeast }];
}
