// Injected faults, around the user's handler: only on lanes of a bus under test.
import type { Clock } from '../../src/shared/clock.js';
import type { AttemptContext } from '../../src/shared/context.js';
import { drawFault, type FaultKind, type FaultPlan, IdleMarks, type LaneTesting } from '../../src/shared/fault-plan.js';
import type { Handler } from '../../src/shared/handler.js';
import type { DrainTask } from '../../src/shared/lane-task.js';
import type { LoadedHandler } from './load.js';

/** The handler as it is, when nothing is tested. */
export function faulty(handler: LoadedHandler, task: DrainTask, clock: Clock): LoadedHandler {
  const { testing } = task;
  if (testing === null) return handler;
  return { ...handler, handle: new Saboteur(testing, task, clock).around(handler.handle) };
}

/** Main looks for deadlines every 25 ms, so a thread is ended that much later. */
const LATENESS_MS = 26;

/** Belongs to one drain. */
class Saboteur {
  readonly #plan: FaultPlan;
  readonly #subscriberId: string;
  readonly #graceMs: number;
  readonly #marks: IdleMarks;
  readonly #clock: Clock;

  constructor({ plan, subscriberId, graceMs, marks }: LaneTesting, { concurrency }: DrainTask, clock: Clock) {
    this.#plan = plan;
    this.#subscriberId = subscriberId;
    this.#graceMs = graceMs;
    this.#marks = new IdleMarks(marks);
    this.#marks.clear(concurrency);
    this.#clock = clock;
  }

  around(handle: Handler): Handler {
    return (payload, given) => {
      const context = given as AttemptContext;
      const kind = this.#faultOf(context);
      if (kind === null) return handle(payload, context);
      if (this.#plan.when === 'before') return this.#suffer(kind, context, () => handle(payload, context));
      return Promise.resolve(handle(payload, context)).then((value) => this.#suffer(kind, context, () => value));
    };
  }

  #faultOf(context: AttemptContext): FaultKind | null {
    if (context.failures >= this.#plan.attempts) return null;
    return drawFault(this.#plan, this.#subscriberId, context.id);
  }

  #suffer(kind: FaultKind, context: AttemptContext, goOn: () => unknown): unknown {
    const hoard: number[][] = [];
    switch (kind) {
      case 'throw':
        throw new InjectedFault(`thrown at ${context.id} (seed ${this.#plan.seed})`);
      case 'delay':
        return this.#idle(this.#plan.delayMs).then(goOn);
      case 'hang':
        this.#marks.begin(this.#endOf(context));
        return new Promise(() => undefined);
      case 'loop':
        this.#marks.block(this.#endOf(context));
        for (;;);
      case 'kill':
        return process.exit(1);
      case 'outOfMemory':
        for (;;) hoard.push(new Array<number>(1_000_000).fill(0.5));
      case 'corrupt':
        // Done on main, before the record was written. Raw bytes carry no checksum: they get this far.
        return goOn();
      default:
        return kind satisfies never;
    }
  }

  /** `Clock.elapsed()` at which main will have ended the thread for this attempt. */
  #endOf({ deadline }: AttemptContext): number {
    return this.#clock.elapsed() + (deadline - this.#clock.now()) + this.#graceMs + LATENESS_MS;
  }

  async #idle(ms: number): Promise<void> {
    const until = this.#clock.elapsed() + ms;
    const time = new Promise<void>((resume) => this.#clock.after(ms, resume, true));
    this.#marks.begin(until);
    await time;
    this.#marks.end(until);
  }
}

/** Thrown by the fault `throw`. */
class InjectedFault extends Error {
  override readonly name = 'InjectedFault';
}
