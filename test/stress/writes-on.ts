// Writes records into a ring from where its predecessor stopped, until told to stop. May be ended at any point.
import { workerData } from 'node:worker_threads';
import { Doorbell } from '../../src/shared/doorbell.js';
import { RingWriter } from '../../src/shared/ring.js';
import { writeRecord } from '../write-record.js';
import { contentOf, Note, type RingTask } from './ring-task.js';

const task = workerData as RingTask;
const writer = new RingWriter(task.ring);
const reader = new Doorbell(task.readerBell);
const own = new Doorbell(task.writerBell);
const keepAlive = setInterval(() => undefined, 1000);
Atomics.add(task.notes, Note.BEGUN, 1);
for (let n = writer.written; Atomics.load(task.notes, Note.STOP) === 0; n++) {
  const content = contentOf(task, n);
  while (!writeRecord(writer, n, content)) {
    if (!writer.wantRoom(writer.unreleasedBytes >> 1)) await own.sleep(() => writer.hasWantedRoom);
    writer.wantNothing();
  }
  reader.ring();
}
clearInterval(keepAlive);
