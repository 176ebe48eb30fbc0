// The machine that the figures are from.
import { availableParallelism, cpus, type as osType, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  /** What the process may use. */
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  /** Operating system, its release, and the architecture. */
  readonly system: string;
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown processor',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    system: `${osType()} ${release()} ${process.arch}`,
  };
}
