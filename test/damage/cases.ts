// Damages a log folder by chance, starts the logging worker's work on it, and looks what it kept.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { storedLetter } from '../../src/observe/stored-letter.js';
import { systemClock } from '../../src/shared/clock.js';
import { Doorbell } from '../../src/shared/doorbell.js';
import { type LoggingStart, STATUS_BYTES, Status } from '../../src/shared/logging-task.js';
import { allocateRing } from '../../src/shared/ring.js';
import { Keeper } from '../../workers/logging/keeper.js';
import { randomFrom } from '../random.js';
import { damage } from './damages.js';
import { copyOf, makePristine, type Pristine } from './pristine.js';

export interface DamageResult {
  readonly cases: number;
  /** Letters that were intact after the damage, all of them kept. */
  readonly kept: number;
  /** Damaged lines set aside, and torn tails cut. */
  readonly counted: number;
  readonly faults: readonly string[];
}

/** @param folder an empty one */
export async function damageCases(cases: number, seed: number, folder: string): Promise<DamageResult> {
  const pristine = await makePristine(join(folder, 'pristine'));
  const faults: string[] = [];
  let kept = 0;
  let counted = 0;
  for (let number = 0; number < cases; number++) {
    const random = randomFrom(seed + number);
    const target = join(folder, 'damaged');
    copyOf(pristine, target);
    const done: string[] = [];
    for (let n = 1 + Math.floor(random() * 3); n > 0; n--) done.push(damage(target, random));
    try {
      const result = await lookAt(pristine, target);
      kept += result.kept;
      counted += result.counted;
      for (const fault of result.faults) faults.push(`seed ${seed + number} (${done.join('; ')}): ${fault}`);
    } catch (thrown) {
      faults.push(`seed ${seed + number} (${done.join('; ')}): ${(thrown as Error).stack}`);
    }
  }
  return { cases, kept, counted, faults };
}

async function lookAt(
  { lines, payloads }: Pristine,
  folder: string,
): Promise<{ kept: number; counted: number; faults: string[] }> {
  const faults: string[] = [];
  const letterFolder = join(folder, 'dead_letter');
  const before = segmentsOf(letterFolder);
  const intact = new Set(
    [...lines].filter(([, line]) => before.some((bytes) => bytes.includes(line))).map(([id]) => id),
  );
  const isDamaged = before.some((bytes) => leftoverOf(bytes, lines) !== '');

  const first = await start(folder);
  const letters = first.keeper.letters.read(first.keeper.letters.ids({})).map(storedLetter);
  await first.keeper.close();
  const present = new Set<string>();
  for (const { error_id: id, message } of letters) {
    if (present.has(id)) faults.push(`${id} is there twice`);
    present.add(id);
    if (!intact.has(id)) faults.push(`${id} was damaged and is taken for good`);
    if (inspect(message.payload) !== inspect(payloads.get(id))) faults.push(`${id} is not what it was`);
  }
  for (const id of intact) if (!present.has(id)) faults.push(`${id} was intact and is lost`);
  if (isDamaged && first.counted === 0) faults.push('there was damage, and it was not counted');

  const second = await start(folder);
  const again = second.keeper.letters.ids({});
  await second.keeper.close();
  if (again.length !== letters.length) faults.push(`${letters.length} letters, then ${again.length}`);
  if (second.counted > 0) faults.push('damage was found again');
  for (const name of ['message_bus_errors.json', 'error_metrics.json']) {
    for (const line of linesOf(join(folder, name))) {
      try {
        JSON.parse(line);
      } catch {
        faults.push(`a bad line is left in ${name}`);
      }
    }
  }
  return { kept: present.size, counted: first.counted, faults };
}

async function start(folder: string): Promise<{ keeper: Keeper; counted: number }> {
  const status = new SharedArrayBuffer(STATUS_BYTES);
  const start: LoggingStart = {
    folder,
    letterFolder: join(folder, 'dead_letter'),
    limits: { maxLogBytes: 1e7, maxLogFiles: 5, maxLetters: 1e6, maxLetterBytes: 1e9, maxLetterAgeMs: 1e12 },
    redact: {},
    reports: allocateRing(1024),
    letters: allocateRing(1024),
    bell: Doorbell.allocate(),
    mainBell: Doorbell.allocate(),
    status,
    isReplacement: false,
    isBrief: false,
    replaying: [],
    testing: null,
  };
  const keeper = new Keeper(start, systemClock);
  const result = await keeper.open();
  if (!result.ok) throw new Error(`could not start: ${result.message}`);
  const words = new Int32Array(status);
  return { keeper, counted: (words[Status.CORRUPT_LINES] as number) + (words[Status.TORN_TAILS] as number) };
}

/** The plain files that look like segments. */
function segmentsOf(letterFolder: string): Buffer[] {
  if (!existsSync(letterFolder)) return [];
  return readdirSync(letterFolder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^dlq_\d{8}T\d{9}Z_\d+\.json$/.test(entry.name))
    .map(({ name }) => readFileSync(join(letterFolder, name)));
}

/** What is in a segment beside intact letters. */
function leftoverOf(bytes: Buffer, lines: ReadonlyMap<string, Buffer>): string {
  let text = bytes.toString('latin1');
  for (const line of lines.values()) text = text.replaceAll(line.toString('latin1'), '');
  return text.replaceAll('\n', '');
}

function linesOf(file: string): string[] {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return [];
  return readFileSync(file, 'utf8').split('\n').filter(Boolean);
}
