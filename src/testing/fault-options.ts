// The faults that a test asks for, and what is wrong with bad requests.
import { invalidOption } from '../shared/errors.js';
import { FAULT_KINDS, type FaultKind, type FaultPlan } from '../shared/fault-plan.js';

/**
 * Faults that are injected into deliveries on worker threads, each given as its chance from 0 to 1; together 1 at most.
 * Which delivery suffers which is drawn from the seed, the subscriberId and the message's id: same seed, same faults.
 */
export interface FaultOptions {
  /** A whole number. Default: BUSBAR_SEED of the environment, else at random; `bus.seed` tells. */
  readonly seed?: number;
  /** An `InjectedFault` is thrown. */
  readonly throw?: number;
  /** `delayMs` of the bus's clock pass before it goes on. */
  readonly delay?: number;
  /** A promise that never settles, deaf to `ctx.signal`. */
  readonly hang?: number;
  /** An endless loop. */
  readonly loop?: number;
  /** The thread exits. */
  readonly kill?: number;
  /** The thread runs out of JavaScript memory. Without `resourceLimits`, the heap is then 64 MB. */
  readonly outOfMemory?: number;
  /** The payload's first bytes are overwritten in the ring, for good. Raw bytes carry no checksum: the handler sees them. */
  readonly corrupt?: number;
  /** Chance of each write of the logging worker to fail with ENOSPC. */
  readonly diskFull?: number;
  /** Milliseconds, 0 or more. Default 100. */
  readonly delayMs?: number;
  /** Failed attempts that a chosen delivery suffers, 1 or more, or Infinity. Default 1: its retry is left in peace. */
  readonly attempts?: number;
  /** Before the handler runs, or after it has run: then a retry does its work twice. Default 'before'. */
  readonly when?: 'before' | 'after';
}

const OTHER_FIELDS = ['seed', 'diskFull', 'delayMs', 'attempts', 'when'];

/** @throws BUSBAR_INVALID_OPTION */
export function planOf(options: FaultOptions): FaultPlan & { readonly diskFull: number } {
  const known = [...FAULT_KINDS, ...OTHER_FIELDS];
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalidOption('faults', `among ${known.join(', ')}`, name);
  const { seed = seedByDefault(), delayMs = 100, attempts = 1, when = 'before', diskFull = 0 } = options;
  if (!Number.isSafeInteger(seed)) throw invalidOption('faults.seed', 'a whole number', seed);
  if (!(Number.isFinite(delayMs) && delayMs >= 0)) throw invalidOption('faults.delayMs', 'a number >= 0', delayMs);
  if (!(attempts >= 1)) throw invalidOption('faults.attempts', 'a number >= 1', attempts);
  if (when !== 'before' && when !== 'after') throw invalidOption('faults.when', "'before' or 'after'", when);
  const rates = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, chance(kind, options[kind] ?? 0)])) as Record<
    FaultKind,
    number
  >;
  const sum = FAULT_KINDS.reduce((total, kind) => total + rates[kind], 0);
  // Ten times a tenth is a little more than one.
  if (sum > 1 + 1e-9) throw invalidOption('faults', 'chances of 1 at most together', sum);
  return { seed: seed | 0, rates, delayMs, attempts, when, diskFull: chance('diskFull', diskFull) };
}

function chance(kind: string, rate: unknown): number {
  if (typeof rate === 'number' && rate >= 0 && rate <= 1) return rate;
  throw invalidOption(`faults.${kind}`, 'a chance from 0 to 1', rate);
}

function seedByDefault(): number {
  const given = process.env['BUSBAR_SEED'];
  return given === undefined || given === '' ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}
