// What it costs to have many: subscriptions that do not match, subscriptions that do, and lanes.
import { type BenchBus, openBus, openSubscribed } from '../contenders/busbar.js';
import receives from '../contenders/receives.js';
import { BYTES_64 } from '../load/payloads.js';
import { stream } from '../load/stream.js';
import type { Open, Row } from '../run/row.js';

const { payload, window, label } = BYTES_64;
/** A ring that is small enough for a thousand of them. */
const RING_BYTES = 64 * 1024;

export const growth: readonly Row[] = [
  {
    name: 'publishing to one beside idle subscriptions',
    payload: `${label}, 1000 idle`,
    inflight: window,
    unit: 'msg/s',
    better: 'higher',
    contenders: { busbar: publishing(() => withIdle(1000)), 'busbar, one subscription': publishing(() => withIdle(0)) },
    goals: [{ timesAsGoodAs: 'busbar, one subscription', atLeast: 0.9 }],
  },
  ...[8, 64].map(
    (lanes): Row => ({
      name: 'many lanes on one thread',
      isDetail: lanes < 64,
      payload: `${label}, ${lanes} lanes`,
      inflight: window,
      unit: 'msg/s',
      better: 'higher',
      contenders: {
        busbar: publishing(() => openSubscribed(receives, {}, { lanes })),
        'busbar, one lane': publishing(() => openSubscribed(receives)),
      },
    }),
  ),
  ...[10, 100].map(
    (matches): Row => ({
      name: 'publishing to many that match',
      isDetail: matches < 100,
      payload: `${label}, ${matches} subscriptions`,
      inflight: window,
      unit: 'deliveries/s',
      better: 'higher',
      contenders: {
        busbar: publishing(() => withMatching(matches), matches),
        'busbar, one subscription': publishing(() => withIdle(0)),
      },
    }),
  ),
];

/** @param matches subscriptions that receive each message */
function publishing(open: () => Promise<BenchBus>, matches = 1): Open {
  return async ({ sliceMs }) => {
    const { bus, close } = await open();
    const send = (): boolean => bus.publish('bench', payload);
    return {
      measure: () => stream(send, { window: Math.ceil(window / matches), ms: sliceMs, receivers: matches }),
      close,
    };
  };
}

async function withIdle(count: number): Promise<BenchBus> {
  const opened = await openSubscribed(receives, { ringBytes: RING_BYTES });
  for (let index = 0; index < count; index++) {
    await opened.bus.subscribe(`idle.${index}.*`, receives, { subscriberId: `idle-${index}` });
  }
  return opened;
}

async function withMatching(count: number): Promise<BenchBus> {
  const opened = await openBus({ ringBytes: RING_BYTES });
  for (let index = 0; index < count; index++) {
    await opened.bus.subscribe('bench', receives, { subscriberId: `matching-${index}` });
  }
  return opened;
}
