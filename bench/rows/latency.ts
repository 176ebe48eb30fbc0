// How long a round trip takes: of a sleeping lane, of a busy one, and at half of what each contender can carry.
import { bareRingCalls } from '../contenders/bare-ring.js';
import { busbarCalls } from '../contenders/busbar.js';
import { contenderOf } from '../contenders/calls.js';
import { piscinaCalls } from '../contenders/piscina.js';
import { postMessageCalls } from '../contenders/post-message.js';
import { busyLatency, loadedLatency, PERCENTILES, sleepingLatency } from '../load/latency.js';
import { BYTES_64 } from '../load/payloads.js';
import { promiseEach } from '../load/promise-each.js';
import type { Goal, Row } from '../run/row.js';

type Begin = Parameters<typeof contenderOf>[2];

/** Calls under way when a contender's full load is found. */
const FULL_LOAD = 64;

export const latency: readonly Row[] = [
  rowOf(
    'round trip of a sleeping lane',
    1,
    async (call, { sliceMs }) => {
      // A call every 2 ms leaves the code of half of the contenders uncompiled: that would be measured, not the waking.
      for (let slice = 0; slice < 8; slice++) await promiseEach(call, BYTES_64.reply, FULL_LOAD, sliceMs);
      return () => sleepingLatency(call, sliceMs * 3);
    },
    // As fast as postMessage, within what two runs of the same differ by.
    [{ part: 'p50', timesAsGoodAs: 'postMessage', atLeast: 0.95 }],
  ),
  rowOf(
    'round trip of a busy lane',
    1,
    async (call, { sliceMs }) =>
      () =>
        busyLatency(call, sliceMs),
    [{ part: 'p50', name: 'round trip of a busy lane, p50', atMost: 6 }],
  ),
  {
    ...rowOf('round trip at half load', 0, async (call, { sliceMs }) => {
      await promiseEach(call, BYTES_64.reply, FULL_LOAD, sliceMs);
      const most = await promiseEach(call, BYTES_64.reply, FULL_LOAD, sliceMs);
      return () => loadedLatency(call, most / 2, sliceMs);
    }),
    isDetail: true,
  },
];

function rowOf(name: string, inflight: number, begin: Begin, goals: readonly Goal[] = []): Row {
  return {
    name,
    payload: BYTES_64.label,
    inflight,
    unit: 'µs',
    better: 'lower',
    parts: PERCENTILES,
    contenders: {
      busbar: contenderOf(busbarCalls(BYTES_64), BYTES_64.payload, begin),
      'bare ring': contenderOf(bareRingCalls, BYTES_64.payload, begin),
      postMessage: contenderOf(postMessageCalls, BYTES_64.payload, begin),
      piscina: contenderOf(piscinaCalls(BYTES_64, inflight || FULL_LOAD), BYTES_64.payload, begin),
    },
    goals,
  };
}
