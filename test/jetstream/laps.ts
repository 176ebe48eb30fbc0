// The two laps of a consumer: while its code is still being compiled, and once it is; and what each of them took.
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** What one process is to do. */
export interface Run {
  readonly servers: string;
  /** The process id of the server. */
  readonly server: number;
  readonly stream: string;
  /** All of them: those of the first lap, and those of the second. */
  readonly messages: number;
  /** Those of the first lap. */
  readonly warmUp: number;
}

/** One lap. */
export interface Lap {
  /** Messages in a second. */
  readonly rate: number;
  /** Processor time of all threads of this process for each message, in microseconds. */
  readonly cost: number;
  /** The same of the server; NaN where the machine does not tell. */
  readonly serverCost: number;
  /** The part of the time in which the main thread did not wait for anything. */
  readonly busy: number;
}

/** On Linux, in which these are counted. */
const TICK_US = 10_000;

interface Moment {
  readonly at: number;
  readonly used: number;
  readonly serverUsed: number;
  readonly loop: ReturnType<typeof performance.eventLoopUtilization>;
}

/** Belongs to one process. Runs on the main thread. */
export class Laps {
  readonly #run: Run;
  readonly #moments: Moment[] = [];
  #count = 0;
  /** Resolves when all messages are handled. */
  readonly done: Promise<void>;
  #end: () => void = () => undefined;

  constructor(run: Run) {
    this.#run = run;
    this.done = new Promise((end) => {
      this.#end = end;
    });
  }

  /** Consuming begins. */
  start(): void {
    this.#moments.push(this.#look());
  }

  /** One more message is handled. */
  handled(): void {
    this.#count++;
    if (this.#count === this.#run.warmUp) this.#moments.push(this.#look());
    if (this.#count < this.#run.messages) return;
    this.#moments.push(this.#look());
    this.#end();
  }

  /** So many messages are handled, as was seen now. True: that is all. */
  areHandled(count: number): boolean {
    const before = this.#count;
    this.#count = count;
    if (before < this.#run.warmUp && count >= this.#run.warmUp) this.#moments.push(this.#look());
    if (count >= this.#run.messages) this.#moments.push(this.#look());
    return count >= this.#run.messages;
  }

  get cold(): Lap {
    return this.#between(0, this.#run.warmUp);
  }

  get warm(): Lap {
    return this.#between(1, this.#run.messages - this.#run.warmUp);
  }

  #between(index: number, messages: number): Lap {
    const from = this.#moments[index] as Moment;
    const to = this.#moments[index + 1] as Moment;
    return {
      rate: messages / ((to.at - from.at) / 1000),
      cost: (to.used - from.used) / messages,
      serverCost: (to.serverUsed - from.serverUsed) / messages,
      busy: performance.eventLoopUtilization(to.loop, from.loop).utilization,
    };
  }

  #look(): Moment {
    const { user, system } = process.cpuUsage();
    return {
      at: performance.now(),
      used: user + system,
      serverUsed: usedBy(this.#run.server),
      loop: performance.eventLoopUtilization(),
    };
  }
}

/** Processor time of another process so far, in microseconds. */
function usedBy(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  // The name of the program, in brackets, may have spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** @returns so many in a second */
export async function rateOf(count: number, work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return count / ((performance.now() - startedAt) / 1000);
}
