// The far side of postMessage: receives, and answers when an answer is wanted.
import { parentPort, workerData } from 'node:worker_threads';
import { receive } from '../../load/receive.js';

const wantsReplies = workerData === 'replies';

parentPort?.on('message', (payload: unknown) => {
  const reply = receive(payload);
  if (wantsReplies) parentPort?.postMessage(reply);
});
