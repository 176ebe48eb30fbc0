// The main job on real input: indexes a folder on worker threads, sabotages itself, and shows what became of it all.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { type DeadLetterQueue, type HealthStatus, MessageBus } from '../src/index.js';
import indexFile, { type FileToIndex, type IndexedFile } from './demo/index-file.js';
import { Progress, printAccounting, printCounts, printTable, printTitle } from './demo/print.js';
import sabotage, { type Sabotage } from './demo/sabotage.js';
import slow from './demo/slow.js';

interface Topics {
  'file.found': FileToIndex;
  'file.indexed': IndexedFile;
  'sabotage.handler': Sabotage;
  'burst.item': number;
}

const BURST = 2000;
const BURST_QUEUE = 200;
const MOST_LETTERS_SHOWN = 15;

const folder = resolve(process.argv[2] ?? fileURLToPath(new URL('../../node_modules', import.meta.url)));
const files = await findFiles(folder);
if (files === undefined) {
  console.error(`demo: cannot read folder ${folder}`);
  process.exitCode = 2;
} else {
  process.exitCode = (await run(files)) ? 0 : 1;
}

/** Returns whether every delivery is accounted for, and the dead-letter queue is empty at the end. */
async function run(paths: readonly string[]): Promise<boolean> {
  const scratch = mkdtempSync(join(tmpdir(), 'busbar-demo-'));
  const logs = resolve('data/logs/demo');
  const loop = monitorEventLoopDelay({ resolution: 1 });
  const bus = new MessageBus<Topics>({
    errorLogDir: logs,
    resourceLimits: { maxOldGenerationSizeMb: 128 },
    retry: {
      connection_error: { maxRetries: 3, backoffMs: 50 },
      timeout_error: { maxRetries: 1, backoffMs: 100 },
    },
  });
  await bus.start();
  const queue = bus.deadLetterQueue;
  if (queue === null) throw new Error('the demo needs error handling');
  await queue.clear();
  loop.enable();

  await indexAll(bus, paths);
  const causes = await sabotageAll(bus, scratch);
  await tell(bus.getHealthStatus(), queue, loop);
  const left = await mendAndReplay(queue, causes);

  await leaveSome(bus);
  printTitle('In the end');
  const addsUp = printAccounting(bus.getHealthStatus());
  await bus.stop();
  loop.disable();
  rmSync(scratch, { recursive: true, force: true });
  console.log(`\n  error log, metrics and letters: ${logs}`);
  console.log('  now be the operator: README, "Operating it"');
  return addsUp && left === 0;
}

/** Every file read, digested and compressed on the lanes; the main thread only adds up. */
async function indexAll(bus: MessageBus<Topics>, paths: readonly string[]): Promise<void> {
  let done = 0;
  let bytes = 0;
  const progress = new Progress('files', paths.length);
  const maxQueueSize = paths.length + 1000;
  await bus.subscribe('file.found', indexFile, { subscriberId: 'index', lanes: 'auto', maxQueueSize });
  await bus.subscribe(
    'file.indexed',
    (file) => {
      bytes += file.bytes;
      if (done < paths.length) progress.show(++done);
    },
    { subscriberId: 'collect', maxQueueSize },
  );
  printTitle(`Indexing ${paths.length} files of ${folder}`);
  const started = performance.now();
  for (const path of paths) bus.publish('file.found', { path });
  await bus.idle();
  const seconds = (performance.now() - started) / 1000;
  const rate = Math.round(done / seconds);
  console.log(`  ${done} indexed, ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(1)} s, ${rate} files/s`);
  const broken = paths.length - done;
  if (broken > 0) console.log(`  ${broken} could not be: they are among the dead letters below`);
}

/** What makes the sabotage fail; mending it lets the replay succeed. */
interface Causes {
  readonly brokenJson: string;
  readonly mended: string;
}

async function sabotageAll(bus: MessageBus<Topics>, scratch: string): Promise<Causes> {
  const causes: Causes = { brokenJson: join(scratch, 'broken.json'), mended: join(scratch, 'mended') };
  await bus.subscribe('sabotage.handler', sabotage, { subscriberId: 'sabotage', timeoutMs: 1000, graceMs: 200 });
  await bus.subscribe('burst.item', slow, { subscriberId: 'burst', maxQueueSize: BURST_QUEUE });

  printTitle('Sabotage');
  writeFileSync(causes.brokenJson, '{"half": ');
  bus.publish('file.found', { path: causes.brokenJson });
  for (const kind of ['loop for ever', 'exit the thread', 'fill the memory'] as const) {
    bus.publish('sabotage.handler', { kind, mended: causes.mended });
  }
  let refused = 0;
  for (let item = 0; item < BURST; item++) {
    if (!bus.publish('burst.item', item, { priority: item % 2 === 0 ? 'low' : 'normal' })) refused++;
  }
  console.log('  a broken JSON file, and handlers that loop for ever, exit their thread, and fill the memory');
  await bus.idle();
  const burst = bus.getHealthStatus().subscriptions.find(({ subscriberId }) => subscriberId === 'burst');
  const evicted = (burst?.deadLettered ?? 0) - refused;
  const gaveWay = `${refused} refused, and ${evicted} of low priority that waited gave way to others`;
  console.log(`  a burst of ${BURST} into a queue of ${BURST_QUEUE}: ${gaveWay}`);
  return causes;
}

async function tell(health: HealthStatus, queue: DeadLetterQueue, loop: IntervalHistogram): Promise<void> {
  printTitle('What happened to each');
  printAccounting(health);
  const ms = (ns: number): string => `${(ns / 1e6).toFixed(1)} ms`;
  const delay = `p50 ${ms(loop.percentile(50))}, p99 ${ms(loop.percentile(99))}`;
  console.log(`\n  main thread's event loop delay: ${delay} (an idle one shows 1.1 ms)`);
  console.log(`  threads replaced: ${health.threads.replaced}`);
  console.log(`  health: ${health.status}${health.reasons.map((reason) => `\n    ${reason}`).join('')}`);
  printTitle('Errors by category');
  printCounts('category', health.errorStatistics?.categories ?? {});
  printTitle('Dead letters by reason');
  printCounts('reason', (await queue.stats()).byReason);

  const letters = await queue.list();
  const shown = letters.filter(({ reason }) => reason !== 'overflow');
  printTitle(`Dead letters, without ${letters.length - shown.length} of the burst`);
  for (const { error_id: id } of shown.slice(0, MOST_LETTERS_SHOWN)) {
    const letter = await queue.show(id);
    if (letter !== undefined) console.log(`  ${letter.reason}: ${letter.error.message.slice(0, 150)}`);
  }
  if (shown.length > MOST_LETTERS_SHOWN) console.log(`  … and ${shown.length - MOST_LETTERS_SHOWN} more`);
}

/** Returns how many letters are left. */
async function mendAndReplay(queue: DeadLetterQueue, { brokenJson, mended }: Causes): Promise<number> {
  printTitle('The causes are mended, and the letters replayed');
  writeFileSync(brokenJson, '{"whole": true}');
  writeFileSync(mended, '');
  const { replayed, failed, skipped } = await queue.replay({ all: true });
  printTable(['replayed', 'failed again', 'skipped'], [[replayed.length, failed.length, skipped.length]]);
  if (failed.length > 0) {
    console.log(`  ${await queue.purge(failed)} of them name files that are no JSON, and stay so: purged`);
  }
  const left = (await queue.list()).length;
  console.log(`  the dead-letter queue is ${left === 0 ? 'empty' : `NOT EMPTY: ${left} letters`}`);
  return left;
}

/** Three letters whose causes are still there, for a person to find and mend with the command line. */
async function leaveSome(bus: MessageBus<Topics>): Promise<void> {
  printTitle('Three more fail, and stay for you to mend: a broken JSON file, an endless loop, a thread that exits');
  const home = resolve('data/demo');
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const broken = join(home, 'broken.json');
  writeFileSync(broken, '{"half": ');
  bus.publish('file.found', { path: broken });
  bus.publish('sabotage.handler', { kind: 'loop for ever', mended: join(home, 'mended') });
  bus.publish('sabotage.handler', { kind: 'exit the thread', mended: join(home, 'mended') });
  await bus.idle();
  console.log(`  dead letters: ${(await bus.deadLetterQueue?.list())?.length}`);
}

/** All files below a folder, or undefined when it cannot be read. */
async function findFiles(root: string): Promise<string[] | undefined> {
  try {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  } catch {
    return undefined;
  }
}
