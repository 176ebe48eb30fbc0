// A thread that computes for as long as it is told, and nothing else.
import { parentPort } from 'node:worker_threads';
import { burn } from '../../load/burn.js';

parentPort?.on('message', ({ steps, ms }: { readonly steps: number; readonly ms: number }) => {
  const began = performance.now();
  let calls = 0;
  for (; performance.now() - began < ms; calls++) burn(steps);
  parentPort?.postMessage((calls / (performance.now() - began)) * 1000);
});
