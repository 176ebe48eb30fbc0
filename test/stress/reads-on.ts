// Reads records from a ring from where its predecessor released, and checks each. May be ended at any point.
import { workerData } from 'node:worker_threads';
import { Doorbell } from '../../src/shared/doorbell.js';
import { RingReader } from '../../src/shared/ring.js';
import { Random } from '../random.js';
import { contentOf, Note, type RingTask } from './ring-task.js';

const task = workerData as RingTask;
const { notes } = task;
const reader = new RingReader(task.ring);
const own = new Doorbell(task.readerBell);
const writer = new Doorbell(task.writerBell);
const random = new Random(task.seed);
const keepAlive = setInterval(() => undefined, 1000);
Atomics.add(task.notes, Note.BEGUN, 1);
let next: number | undefined;
let unreleased = 0;
let batch = 1;

function isEnd(): boolean {
  return Atomics.load(notes, Note.TOTAL) === Atomics.load(notes, Note.READ) && !reader.hasNext;
}

function release(): void {
  unreleased = 0;
  reader.release();
  Atomics.store(notes, Note.RELEASED, next ?? 0);
  if (reader.hasWantedRoom) writer.ring();
}

/** The first record of a successor is one that its predecessor has read or not, but has surely not released. */
function isInOrder(n: number): boolean {
  if (next !== undefined) return n === next;
  return n >= Atomics.load(notes, Note.RELEASED) && n <= Atomics.load(notes, Note.READ);
}

while (!isEnd()) {
  const record = reader.read();
  if (record === undefined) {
    if (unreleased > 0) release();
    await own.sleep(() => reader.hasNext || isEnd());
    continue;
  }
  const { kind: n, bytes } = record;
  const isRight = isInOrder(n) && Buffer.compare(bytes, contentOf(task, n)) === 0;
  if (!isRight) Atomics.add(notes, Note.WRONG, 1);
  next = n + 1;
  // A successor reads some again, and must not take them back.
  if (next > Atomics.load(notes, Note.READ)) Atomics.store(notes, Note.READ, next);
  if (++unreleased >= batch) {
    batch = random.whole(1, 8);
    release();
  }
}
if (unreleased > 0) release();
clearInterval(keepAlive);
