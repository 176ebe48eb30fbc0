// The far side of a bare ring: reads, answers, looks again for about 30 µs, sleeps.
import { workerData } from 'node:worker_threads';
import { decodeRange } from '../../../src/shared/codec.js';
import { Doorbell } from '../../../src/shared/doorbell.js';
import { KIND, LENGTH, RECORD_HEADER_BYTES } from '../../../src/shared/layout.js';
import type { CodecId } from '../../../src/shared/message.js';
import { RingReader, RingWriter } from '../../../src/shared/ring.js';
import { receive } from '../../load/receive.js';
import type { BareRing } from '../bare-ring.js';

const SPINS = 1500;
/** After a longer sleep it does not look again, in milliseconds: calls are rare. */
const SHORT_SLEEP_MS = 0.25;
/** The event loop has a turn at least once in so many calls. */
const CALLS_A_TURN = 8192;

const shared = workerData as BareRing;
const calls = new RingReader(shared.calls);
const replies = new RingWriter(shared.replies);
const farBell = new Doorbell(shared.farBell);
const nearBell = new Doorbell(shared.nearBell);

function answer(word: number): void {
  const start = (word << 2) + RECORD_HEADER_BYTES;
  const end = (word << 2) + (calls.words[word + LENGTH] as number);
  const reply = receive(decodeRange(calls.words[word + KIND] as CodecId, calls.bytes, calls.words, start, end));
  // No more can be under way than this ring holds.
  const offset = replies.claim(8);
  replies.doubles[offset >> 3] = reply;
  replies.commit(0);
  calls.release();
  nearBell.ring();
}

let isBrisk = true;

function nextSoon(): number {
  if (!isBrisk) return -1;
  for (let spin = 0; spin < SPINS; spin++) if (calls.hasNext) return calls.next();
  return -1;
}

// Waiting for the bell does not keep a thread alive.
setInterval(() => undefined, 2 ** 30);
for (let count = 1; ; count++) {
  const word = calls.hasNext ? calls.next() : nextSoon();
  if (word >= 0) {
    answer(word);
  } else {
    const began = performance.now();
    await farBell.sleep(() => calls.hasNext);
    isBrisk = performance.now() - began < SHORT_SLEEP_MS;
  }
  if (count % CALLS_A_TURN === 0) await new Promise<void>((resume) => setImmediate(resume));
}
