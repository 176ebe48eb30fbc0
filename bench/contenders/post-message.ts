// postMessage: a worker and nothing else. The floor of what Node itself does for a message.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Load } from '../load/payloads.js';
import { stream } from '../load/stream.js';
import type { Open } from '../run/row.js';

const FAR_SIDE = new URL('./far-side/post-message.js', import.meta.url);

export function postMessageStream({ payload, window }: Load): Open {
  return async ({ sliceMs }) => {
    const worker = new Worker(FAR_SIDE);
    await once(worker, 'online');
    const send = (): boolean => {
      worker.postMessage(payload);
      return true;
    };
    return {
      measure: () => stream(send, window, sliceMs),
      close: async () => {
        await worker.terminate();
      },
    };
  };
}
