// The shared memory of one lane as main sees it: rings by priority, and the outbox.
import {
  type Delivery,
  type LaneNames,
  largestInRing,
  priorityNumber,
  SMALLEST_LANE_RING_BYTES,
  takeProbe,
  Written,
} from '../shared/delivery.js';
import { DONE } from '../shared/layout.js';
import { PRIORITIES } from '../shared/message.js';
import { type LaneOrder, ParkedWords } from '../shared/order.js';
import type { RecordAddress } from '../shared/outcome.js';
import { allocateRing, RingReader } from '../shared/ring.js';
import type { Backlog } from './backlog.js';
import { type LaneAccount, LaneRing, type RingShape, type Suspect } from './lane-ring.js';
import { LargePayloads } from './large-payloads.js';
import { type Fence, Parking } from './parking.js';

/** The largest description of a failure, as JSON: 25 000 characters, each of which may take six bytes. */
const LARGEST_DETAIL_BYTES = 160 * 1024;
const LARGEST_TEXTS_BYTES = SMALLEST_LANE_RING_BYTES / 2;

/** An outbox has room for the largest record of a ring together with the largest description of a failure, wherever it stands. */
function outboxBytes(ringBytes: number): number {
  const largest = Math.max(largestInRing(ringBytes), LARGEST_TEXTS_BYTES) + LARGEST_DETAIL_BYTES;
  return Math.max(ringBytes, 2 ** Math.ceil(Math.log2(2 * largest)));
}

/** All rings of one lane, and its outbox. Runs on the main thread. */
export class LaneRings {
  /** By priority, lowest first; null until a delivery of that priority comes. */
  readonly rings: (LaneRing | null)[] = PRIORITIES.map(() => null);
  readonly outboxMemory: SharedArrayBuffer;
  readonly outbox: RingReader;
  readonly parkedMemory = ParkedWords.allocate();
  readonly parking: Parking;
  readonly large = new LargePayloads();
  readonly #names: LaneNames;
  readonly #shape: RingShape;

  constructor(names: LaneNames, shape: RingShape, order: LaneOrder | null) {
    this.#names = names;
    this.#shape = shape;
    this.outboxMemory = allocateRing(outboxBytes(shape.ringBytes));
    this.outbox = new RingReader(this.outboxMemory);
    const words = new ParkedWords(this.parkedMemory);
    const isStrict = order?.ordering === 'strict';
    this.parking = new Parking(order, (delivery) => this.#fence(isStrict ? null : delivery), words);
  }

  /** Deliveries in the rings that are neither succeeded nor handed back. */
  get unsettled(): number {
    let sum = 0;
    for (const ring of this.rings) if (ring !== null) sum += ring.unsettled;
    return sum;
  }

  get waitingBytes(): number {
    let sum = this.large.bytes;
    for (const ring of this.rings) if (ring !== null) sum += ring.waitingBytes;
    return sum;
  }

  /** Each ring's of one moment. */
  account(): LaneAccount {
    let succeeded = 0;
    let unsettled = 0;
    for (const ring of this.rings) {
      if (ring === null) continue;
      const account = ring.account();
      succeeded += account.succeeded;
      unsettled += account.unsettled;
    }
    return { succeeded, unsettled };
  }

  get memories(): (SharedArrayBuffer | null)[] {
    return this.rings.map((ring) => ring?.memory ?? null);
  }

  has(delivery: Delivery): boolean {
    return this.rings[priorityNumber(delivery)] !== null;
  }

  open(delivery: Delivery): void {
    this.rings[priorityNumber(delivery)] ??= new LaneRing(this.#shape);
  }

  /** False: the ring of its priority is full, or not open. */
  write(delivery: Delivery): boolean {
    const ring = this.rings[priorityNumber(delivery)];
    const written = ring?.write(delivery, this.#names, this.parking.stamp) ?? Written.FULL;
    if (written === Written.APART && ring !== undefined && ring !== null) this.large.add(delivery, ring);
    return written !== Written.FULL;
  }

  handBack({ place, sequence, isPastOthers }: RecordAddress): void {
    this.rings[place]?.handBack(sequence, isPastOthers);
  }

  noteSettled({ place, sequence }: RecordAddress): void {
    this.rings[place]?.noteSettled(sequence);
  }

  /** Attempts that are running now, as far as can be seen. */
  started(): Suspect[] {
    return this.rings.flatMap((ring) => ring?.started() ?? []);
  }

  /**
   * Asks to be woken when half of what lies in a ring is gone, for each priority that waits in `backlog`.
   * True: there is room already, of which no wake-up may tell: since a ring was full, its reader may have emptied it.
   */
  wantRoom(backlog: Backlog): boolean {
    let hasRoom = false;
    this.rings.forEach((ring, place) => {
      const priority = PRIORITIES[place];
      if (ring === null || priority === undefined) return;
      const unreleased = ring.writer.unreleasedBytes;
      const isAwaited = backlog.has(priority);
      if (isAwaited && unreleased > 0) {
        if (ring.writer.wantRoom(unreleased >> 1)) hasRoom = true;
        return;
      }
      ring.writer.wantNothing();
      // What has left it, but is not handed back yet, counts towards its depth: then there is news to come.
      if (isAwaited && !ring.isFullByDepth) hasRoom = true;
    });
    return hasRoom;
  }

  /** True when room that was asked for is there. */
  get hasWantedRoom(): boolean {
    return this.rings.some((ring) => ring?.writer.hasWantedRoom === true);
  }

  releaseDone(): void {
    for (const ring of this.rings) ring?.releaseDone();
  }

  repair(): Suspect[] {
    return this.rings.flatMap((ring) => ring?.repair() ?? []);
  }

  /** How many records hold a place among their breaker's probes, but for those of `culprits`; from here on none does. */
  takeProbes(culprits: readonly Suspect[]): number {
    let probes = 0;
    for (const ring of this.rings) {
      ring?.walk((word, sequence, state) => {
        if (state === DONE || !takeProbe(ring.writer, word)) return true;
        if (!culprits.some((culprit) => culprit.ring === ring && culprit.sequence === sequence)) probes++;
        return true;
      });
    }
    return probes;
  }

  take(suspect: Suspect): Delivery {
    return this.large.giveBack(suspect.ring.take(suspect, this.#names));
  }

  takeAll(): Delivery[] {
    const all = this.rings.flatMap((ring) => ring?.takeAll(this.#names) ?? []);
    return all.map((delivery) => this.large.giveBack(delivery));
  }

  /** Passed once the reader has seen what now lies in the ring of this delivery's priority; null: in all rings. */
  #fence(delivery: Delivery | null): Fence {
    const rings = delivery === null ? this.rings : [this.rings[priorityNumber(delivery)] ?? null];
    const ends = rings.flatMap((ring) => (ring === null ? [] : [{ ring, last: (ring.writer.written - 1) | 0 }]));
    // A record may have left its ring while what was said about it still lies in the outbox; in this order, it cannot.
    const haveLeft = (): boolean => ends.every(({ ring, last }) => ring.hasRead(last) || ring.hasPassed(last));
    const areAllRead = (): boolean => ends.every(({ ring, last }) => ring.hasRead(last));
    return { isPassed: () => areAllRead() || (haveLeft() && !this.outbox.hasNext) };
  }
}
