// The worker of a plain consumer: parses what it is sent, and says which one it was.
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', ({ n, text }: { readonly n: number; readonly text: string }) => {
  JSON.parse(text);
  parentPort?.postMessage(n);
});
