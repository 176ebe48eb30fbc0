// Takes handlers down on this thread when main says that nobody needs them any more.
import { BroadcastChannel, threadId } from 'node:worker_threads';
import type { LoadFailure, TeardownLink } from '../../src/shared/lane-task.js';
import type { RedactOptions } from '../../src/shared/redact.js';
import type { TeardownMessage } from '../../src/shared/teardown.js';

/** Runs a handler's teardown, and forgets the handler. Never rejects. */
export type TakeDown = (redact: RedactOptions) => Promise<LoadFailure | null>;

let link: TeardownLink | undefined;
/** Made for the first handler that has a teardown: most threads never need it. */
let channel: BroadcastChannel | undefined;
const standing = new Map<string, TakeDown>();

/** Call once for each thread. */
export function linkTeardown(itsLink: TeardownLink): void {
  link = itsLink;
}

/** A handler is set up on this thread, and is to be taken down again. */
export function expectTeardown(key: string, takeDown: TakeDown): void {
  if (link === undefined) return;
  channel ??= open(link.channel);
  standing.set(key, takeDown);
  Atomics.add(new Int32Array(link.setUps), 0, 1);
  tell(channel, { kind: 'set-up', key, thread: threadId });
}

function open(name: string): BroadcastChannel {
  const opened = new BroadcastChannel(name);
  // It keeps no thread alive: the pool's port does, as long as the thread is wanted.
  opened.unref();
  opened.onmessage = ({ data }) => void hear(opened, data as TeardownMessage);
  return opened;
}

async function hear(on: BroadcastChannel, message: TeardownMessage): Promise<void> {
  if (message.kind !== 'tear-down') return;
  const { key, redact } = message;
  const takeDown = standing.get(key);
  if (takeDown === undefined) return;
  standing.delete(key);
  tell(on, { kind: 'torn-down', key, thread: threadId, failure: await takeDown(redact) });
}

function tell(on: BroadcastChannel, message: TeardownMessage): void {
  on.postMessage(message);
}
