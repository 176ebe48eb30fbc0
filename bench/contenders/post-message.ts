// postMessage: a worker and nothing else. The floor of what Node itself does for a message.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Calls } from './calls.js';

const FAR_SIDE = new URL('./far-side/post-message.js', import.meta.url);

/** A worker that receives and says nothing. */
export async function openSilent(): Promise<Worker> {
  const worker = new Worker(FAR_SIDE);
  await once(worker, 'online');
  return worker;
}

/** A worker that answers each message; answers come in the order of the messages, so the oldest call is the one answered. */
export async function postMessageCalls(): Promise<Calls> {
  const worker = new Worker(FAR_SIDE, { workerData: 'replies' });
  await once(worker, 'online');
  const waiting: ((reply: unknown) => void)[] = [];
  let oldest = 0;
  worker.on('message', (reply: unknown) => {
    waiting[oldest++]?.(reply);
    if (oldest < 4096) return;
    waiting.splice(0, oldest);
    oldest = 0;
  });
  return {
    call: (payload) =>
      new Promise((resolve) => {
        waiting.push(resolve);
        worker.postMessage(payload);
      }),
    close: () => worker.terminate(),
  };
}
