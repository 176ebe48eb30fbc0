// A test's view of the inside of a bus: its lanes, what they wait for, and the faults it injects there.

import type { Delivery } from '../shared/delivery.js';
import { messageId } from '../shared/delivery.js';
import { DiskFaults } from '../shared/disk-faults.js';
import { drawFault, type FaultPlan, IdleMarks, type LaneTesting } from '../shared/fault-plan.js';
import { Codec } from '../shared/message.js';
import type { TestedSubscription, TestHooks } from '../shared/test-hooks.js';
import { copyOf } from '../shared/views.js';
import { Ledger } from './ledger.js';

/** Ids of messages begin with it: a test can foretell them. */
const INSTANCE = 'test';
/** No codec with a header begins its bytes with them. */
const DAMAGE = new Uint8Array(8).fill(0xff);

/** What lanes are up to. */
export interface Motion {
  /** True: nothing will happen until time passes. */
  readonly isStill: boolean;
  /** Handlers only wait, but a worker may be about to start another one, or may not: it does not tell. */
  readonly mayBeStill: boolean;
  /** `Clock.elapsed()` at which the first handler that merely waits has waited long enough; Infinity: there is none. */
  readonly idleUntil: number;
}

/** Plugged into one bus. */
export class TestBench implements TestHooks {
  readonly instance = INSTANCE;
  readonly ledger = new Ledger();
  readonly plan: FaultPlan;
  readonly diskFaults: DiskFaults;
  readonly #lanes = new Map<TestedSubscription, IdleMarks[]>();
  readonly #threads: number;

  /** @param threads of the bus, which its lanes share */
  constructor(plan: FaultPlan, threads: number) {
    this.plan = plan;
    this.#threads = threads;
    this.diskFaults = DiskFaults.allocate(plan.seed);
  }

  get disk(): SharedArrayBuffer {
    return this.diskFaults.memory;
  }

  subscribed(subscription: TestedSubscription): void {
    this.#lanes.set(subscription, []);
    const accept = subscription.accept.bind(subscription);
    subscription.accept = (delivery, isLater) => accept(this.#corrupted(subscription, delivery), isLater);
  }

  laneTesting(subscription: TestedSubscription): LaneTesting {
    const marks = IdleMarks.allocate();
    this.#lanes.get(subscription)?.push(new IdleMarks(marks));
    const { subscriberId, options } = subscription;
    return { plan: this.plan, subscriberId, graceMs: options.graceMs, marks };
  }

  settled = (...[delivery]: Parameters<TestHooks['settled']>): void => this.ledger.add(delivery);

  /** Looks at all lanes. */
  motion(elapsed: number): Motion {
    const lanes = [...this.#lanes].flatMap(([subscription, marks]) =>
      subscription.lanes.map((lane, index) => motionOf(lane, marks[index])),
    );
    const isSettling = [...this.#lanes.keys()].some(({ settling }) => settling > 0);
    const idleUntil = Math.min(...lanes.map(({ until }) => until), Number.POSITIVE_INFINITY);
    // While all threads are taken by handlers that merely wait, so do the lanes that wait for a thread.
    const noneIsFree = lanes.filter(({ isFull }) => isFull).length >= this.#threads;
    const noneMayBeFree = lanes.filter(({ isFull, onlyIdle }) => isFull || onlyIdle).length >= this.#threads;
    const isOver = isSettling || idleUntil <= elapsed;
    return {
      // Those whose time has come are about to go on, or to be ended.
      isStill: !isOver && lanes.every(({ isStill, isWaiting }) => isStill || (isWaiting && noneIsFree)),
      mayBeStill:
        !isOver &&
        lanes.every(({ isStill, isWaiting, onlyIdle }) => isStill || onlyIdle || (isWaiting && noneMayBeFree)),
      idleUntil,
    };
  }

  #corrupted(subscription: TestedSubscription, delivery: Delivery): Delivery {
    const id = messageId(delivery, INSTANCE);
    const isRaw = delivery.codec >= Codec.BUFFER;
    if (drawFault(this.plan, subscription.subscriberId, id) !== 'corrupt') return delivery;
    const bytes = copyOf(delivery.bytes);
    for (let index = 0; index < Math.min(bytes.length, DAMAGE.length); index++)
      bytes[index] = isRaw ? (bytes[index] as number) ^ 0xff : (DAMAGE[index] as number);
    return { ...delivery, bytes };
  }
}

type TestedLane = TestedSubscription['lanes'][number];

/** Exact: a lane moves as long as it may start a handler, or runs one that does not merely wait. */
function motionOf(lane: TestedLane, marks: IdleMarks | undefined) {
  const { state, inFlight } = lane;
  // What is parked waits for a verdict, which comes by a retry or by what runs.
  const unsettled = lane.unsettled - lane.parking.size;
  // When its thread has ended, its marks mean nothing until the next drain clears them.
  const idle = state === 'draining' ? (marks?.idle ?? 0) : 0;
  const mayStart = idle < Math.min(marks?.most ?? 1, unsettled);
  const isFull = idle > 0 && idle >= inFlight && !mayStart;
  // Without a thread, and without asking for one: for its breaker, a delay or a limit, all of them matters of time.
  const isResting = ['held', 'storm', 'idle'].includes(state) && inFlight === 0;
  return {
    isStill: unsettled === 0 || isFull || isResting,
    isFull,
    isWaiting: state === 'waiting',
    onlyIdle: idle > 0 && idle === inFlight,
    until: idle > 0 && marks !== undefined ? marks.until : Number.POSITIVE_INFINITY,
  };
}
