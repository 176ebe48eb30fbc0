// One ring under stress: a writer and a reader on threads of their own, ended at random points and replaced.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Doorbell } from '../../src/shared/doorbell.js';
import { HEAD, RECORD_HEADER_BYTES, RING_CONTROL_BYTES, TAIL } from '../../src/shared/layout.js';
import { RingWriter } from '../../src/shared/ring.js';
import { Random } from '../random.js';
import { makeNoise, Note, type RingTask } from './ring-task.js';

export interface RingResult {
  readonly ringBytes: number;
  readonly largest: number;
  readonly records: number;
  readonly kills: number;
  /** Empty: all is well. */
  readonly wrongs: readonly string[];
}

const WRITER = new URL('./writes-on.js', import.meta.url);
const READER = new URL('./reads-on.js', import.meta.url);
/** What has to come to its end has stood still if it takes longer. */
const MUST_END_MS = 20_000;

/** @param ms how long records are written */
export async function runRing(seed: number, ms: number): Promise<RingResult> {
  const random = new Random(seed);
  const ringBytes = 2 ** random.whole(6, 13);
  const largest = random.whole(0, ringBytes / 2 - RECORD_HEADER_BYTES);
  const task = taskOf(random, seed, ringBytes, largest);
  const threads = { writer: start(WRITER, task), reader: start(READER, task) };
  const until = performance.now() + ms;
  let kills = 0;
  while (performance.now() < until) {
    // One that has not begun could not be ended at an interesting point.
    while (Atomics.load(task.notes, Note.BEGUN) < kills + 2) await pause(1);
    await pause(random.whole(0, 20));
    const victim = random.pick(['writer', 'reader'] as const);
    await threads[victim].terminate();
    kills++;
    threads[victim] = start(victim === 'writer' ? WRITER : READER, task);
    // What the dead one may have owed.
    new Doorbell(victim === 'writer' ? task.readerBell : task.writerBell).ring();
  }
  // On a busy machine no writer may have come to it.
  while (new RingWriter(task.ring).written === 0) await pause(1);
  Atomics.store(task.notes, Note.STOP, 1);
  const wrongs = await ended(threads.writer, 'the writer');
  const records = new RingWriter(task.ring).written;
  Atomics.store(task.notes, Note.TOTAL, records);
  new Doorbell(task.readerBell).ring();
  wrongs.push(...(await ended(threads.reader, 'the reader')), ...wrongsOf(task, records));
  return { ringBytes, largest, records, kills, wrongs };
}

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

/** Counters begin anywhere: also where they soon pass 2^31 or 2^32. */
function taskOf(random: Random, seed: number, ringBytes: number, largest: number): RingTask {
  const ring = new SharedArrayBuffer(RING_CONTROL_BYTES + ringBytes);
  const control = new Int32Array(ring);
  const position = random.pick([0, -ringBytes * 4, 2 ** 31 - ringBytes * 4]);
  control[TAIL] = position;
  control[HEAD] = position;
  const notes = new Int32Array(new SharedArrayBuffer(4 * Object.keys(Note).length));
  notes[Note.TOTAL] = -1;
  const [readerBell, writerBell] = [Doorbell.allocate(), Doorbell.allocate()];
  return { ring, readerBell, writerBell, notes, noise: makeNoise(), seed, largest };
}

function start(url: URL, task: RingTask): Worker {
  return new Worker(url, { workerData: task, execArgv: [] });
}

/** Waits for a thread's own end. */
async function ended(worker: Worker, who: string): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), MUST_END_MS);
  });
  const end = await Promise.race([once(worker, 'exit').then(([code]) => code as number), isLate]);
  clearTimeout(timer);
  if (end === 0) return [];
  await worker.terminate();
  return [end === 'late' ? `${who} stands still` : `${who} ended with ${end}`];
}

function wrongsOf({ ring, notes }: RingTask, records: number): string[] {
  const [read, wrong] = [Atomics.load(notes, Note.READ), Atomics.load(notes, Note.WRONG)];
  const wrongs: string[] = [];
  if (records === 0) wrongs.push('nothing was written');
  if (read !== records) wrongs.push(`${read} of ${records} records were read`);
  if (wrong > 0) wrongs.push(`${wrong} records out of order, or with another content`);
  if (!new RingWriter(ring).isEmpty) wrongs.push('not all is released');
  return wrongs;
}
