// busbar's rings and codec with a promise to each call, and nothing of a bus: what the rest of it costs shows beside this.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { encodePayload } from '../../src/shared/codec.js';
import { Doorbell } from '../../src/shared/doorbell.js';
import { RECORD_HEADER_BYTES } from '../../src/shared/layout.js';
import { allocateRing, RingReader, RingWriter } from '../../src/shared/ring.js';
import { copyInto } from '../../src/shared/views.js';
import type { Calls } from './calls.js';

const FAR_SIDE = new URL('./far-side/bare-ring.js', import.meta.url);
const RING_BYTES = 1024 * 1024;
/** A power of two; so many calls may be under way. */
const PLACES = 4096;
/** Main looks again in so many turns of its loop before it sleeps, as the bus does. */
const POLLS = 1000;

/** What both sides share. */
export interface BareRing {
  readonly calls: SharedArrayBuffer;
  readonly replies: SharedArrayBuffer;
  readonly farBell: SharedArrayBuffer;
  readonly nearBell: SharedArrayBuffer;
}

/** Replies come in the order of the calls. */
export async function bareRingCalls(): Promise<Calls> {
  const shared: BareRing = {
    calls: allocateRing(RING_BYTES),
    replies: allocateRing(RING_BYTES),
    farBell: Doorbell.allocate(),
    nearBell: Doorbell.allocate(),
  };
  const worker = new Worker(FAR_SIDE, { workerData: shared });
  await once(worker, 'online');
  const calls = new RingWriter(shared.calls);
  const replies = new RingReader(shared.replies);
  const farBell = new Doorbell(shared.farBell);
  const nearBell = new Doorbell(shared.nearBell);
  const waiting: ((reply: unknown) => void)[] = new Array(PLACES);
  let called = 0;
  let answered = 0;
  let isOpen = true;
  const wait = (resolve: (reply: unknown) => void): void => {
    waiting[called++ & (PLACES - 1)] = resolve;
  };
  const listen = async (): Promise<void> => {
    for (let polls = 0; isOpen; polls++) {
      for (let word = replies.next(); word >= 0; word = replies.next()) {
        polls = 0;
        waiting[answered++ & (PLACES - 1)]?.(replies.doubles[(word + RECORD_HEADER_BYTES / 4) >> 1]);
      }
      replies.release();
      if (polls < POLLS && called > answered) await new Promise<void>((resume) => setImmediate(resume));
      else await nearBell.sleep(() => replies.hasNext || !isOpen);
    }
  };
  void listen();
  return {
    call: (payload) => {
      const { codec, bytes } = encodePayload(payload);
      const offset = calls.claim(bytes.length);
      if (offset < 0 || called - answered >= PLACES) throw new RangeError('the bare ring is full');
      copyInto(calls, offset, bytes);
      const reply = new Promise(wait);
      calls.commit(codec);
      farBell.ring();
      return reply;
    },
    close: async () => {
      isOpen = false;
      nearBell.ring();
      await worker.terminate();
    },
  };
}
