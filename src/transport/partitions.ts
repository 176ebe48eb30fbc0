// One subscription's partitions: which of them this process holds, and its fair share among all processes.
import type { Clock, Timer } from '../shared/clock.js';
import type { Connection } from './connection.js';
import type { Listening } from './connection-words.js';
import { Feed } from './feed.js';
import { type Lease, type LeaseParts, type ReadLease, readLease, takeLease } from './lease.js';
import type { Names } from './subjects.js';
import type { Inflow, Intake, Ticket } from './transport.js';

export interface PartitionsParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly names: Names;
  readonly instance: string;
  readonly intake: Intake;
  /** The subscription's name on the server. */
  readonly group: string;
  readonly partitions: number;
  readonly leaseMs: number;
  readonly ackWaitMs: number;
  readonly maxDeliver: number;
  readonly areHandlersStored: () => boolean;
  readonly afterHandlers: (then: () => void) => void;
  readonly hasRoom: () => boolean;
  readonly report: (thrown: unknown, context: Record<string, unknown>) => void;
}

interface Partition {
  readonly consumer: string;
  readonly subject: string;
  readonly lease: LeaseParts;
  held: Held | undefined;
  /** A record of another process, and since when it has not changed: `Clock.elapsed()`. */
  seen: { readonly read: ReadLease; readonly since: number } | undefined;
  isChanging: boolean;
}

interface Held {
  readonly lease: Lease;
  readonly feed: Feed;
}

/** Leases are renewed, and looked at, this often within their time. */
const LOOKS = 5;
/** A request for messages ends well within what is left when a lease is no longer trusted. */
const PULLS = 8;
const LONGEST_PULL_MS = 2000;

/** Runs on the main thread. */
export class Partitions implements Inflow {
  readonly #parts: PartitionsParts;
  readonly #partitions: Partition[];
  readonly #members = new Map<string, number>();
  readonly #listening: Listening;
  readonly #timer: Timer;
  #isOpen = true;
  #isPaused = false;
  #looking: Promise<void> | undefined;
  #isReturning = false;
  /** Partitions on their way to others. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(parts: PartitionsParts) {
    this.#parts = parts;
    const { connection, clock, names, instance, group, partitions, leaseMs } = parts;
    this.#partitions = Array.from({ length: partitions }, (_, index) => {
      const consumer = `${group}-${index}`;
      const lease = { connection, clock, instance, leaseMs, stream: names.leaseStream, subject: names.lease(consumer) };
      const subject = names.message(index, parts.intake.pattern);
      return { consumer, subject, lease, held: undefined, seen: undefined, isChanging: false };
    });
    this.#listening = connection.listen(names.members(group), ({ data }) => this.#heard(Buffer.from(data).toString()));
    this.#timer = clock.every(leaseMs / LOOKS, () => void this.look());
  }

  /** Renews, takes and gives up partitions, as far as it is time to. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** As {@link look}, but not as part of one that has begun: what it is for may have come too late for that. */
  async #lookAgain(): Promise<void> {
    await this.#looking;
    await this.look();
  }

  lost(): void {
    for (const { held } of this.#partitions) held?.feed.lost();
  }

  reconnected(): void {
    for (const { held } of this.#partitions) held?.feed.reconnected();
    void this.look();
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    await Promise.all(this.#partitions.map(({ held }) => held?.feed.pause()));
  }

  resume(): void {
    this.#isPaused = false;
    for (const { held, isChanging } of this.#partitions) if (!isChanging) held?.feed.start();
  }

  async isDry(): Promise<boolean> {
    const states = await Promise.all(
      this.#partitions.map(async ({ held, consumer }) => {
        if (held !== undefined && held.feed.unsettled > 0) return false;
        const { unacknowledged, undelivered } = await this.#stateOf(consumer);
        return unacknowledged === 0 && undelivered === 0;
      }),
    );
    return states.every((isDry) => isDry);
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#timer.cancel();
    await this.#looking;
    await this.#giveBack(this.#partitions);
    // Those that were given away before may still be on their way.
    await Promise.all(this.#leaving);
    await this.#listening.drain();
    this.#say(`-${this.#parts.instance}`);
  }

  async #look(): Promise<void> {
    if (!this.#isOpen || !this.#parts.connection.isUp) return;
    this.#say(`+${this.#parts.instance}`);
    try {
      await Promise.all(this.#partitions.map((partition) => this.#lookAt(partition)));
      await this.#takeShare();
      // What was on its way when the rest went, or waited for a lease to be renewed, may be here now.
      void this.#returnUnstarted();
      this.#giveSurplus();
    } catch (thrown) {
      // The connection's own end is reported by itself; what else comes here would come again and again.
      if (this.#parts.connection.isUp) this.#parts.report(thrown, { group: this.#parts.group });
    }
  }

  async #lookAt(partition: Partition): Promise<void> {
    const { held } = partition;
    if (held !== undefined) {
      await held.lease.renew();
      if (held.lease.isLost) this.#lost(partition);
      else held.feed.ask();
      return;
    }
    const read = await readLease(partition.lease);
    if (read === null) partition.seen = undefined;
    else if (partition.seen?.read.revision !== read.revision) {
      partition.seen = { read, since: this.#parts.clock.elapsed() };
    }
  }

  #isFree({ held, seen, isChanging }: Partition): boolean {
    if (held !== undefined || isChanging) return false;
    if (seen === undefined || seen.read.record.isReleased) return true;
    return this.#parts.clock.elapsed() - seen.since > this.#parts.leaseMs;
  }

  /** At random, so that those who start together do not all want the same. */
  async #takeShare(): Promise<void> {
    const isWanted = (): boolean => this.#isOpen && this.#held < this.#share;
    const free = this.#partitions.filter((partition) => this.#isFree(partition));
    const chosen = shuffled(free);
    // Those that others take meanwhile are made good by the rest.
    while (isWanted() && chosen.length > 0) {
      const wanted = chosen.splice(0, this.#share - this.#held);
      await Promise.all(wanted.map((partition) => this.#take(partition)));
    }
  }

  get #held(): number {
    return this.#partitions.filter(({ held, isChanging }) => held !== undefined && !isChanging).length;
  }

  /** As many as each process has to hold so that all are held. */
  get #share(): number {
    const oldest = this.#parts.clock.elapsed() - this.#parts.leaseMs;
    for (const [instance, heardAt] of this.#members) if (heardAt < oldest) this.#members.delete(instance);
    return Math.ceil(this.#partitions.length / (this.#members.size + 1));
  }

  async #take(partition: Partition): Promise<void> {
    const known = partition.seen?.read ?? null;
    const lease = await takeLease(partition.lease, known);
    partition.seen = undefined;
    if (lease === null) return;
    const { intake, leaseMs } = this.#parts;
    const share = (room: number): number => Math.max(1, Math.floor(room / this.#partitions.length));
    const window = { messages: share(intake.room), bytes: share(intake.roomBytes) };
    const pullMs = Math.min(LONGEST_PULL_MS, leaseMs / PULLS);
    const { consumer, subject } = partition;
    const held: Held = { lease, feed: new Feed({ ...this.#parts, consumer, subject, lease, window, pullMs }) };
    partition.held = held;
    if (!this.#isPaused) held.feed.start();
  }

  #giveSurplus(): void {
    const held = this.#partitions.filter((partition) => partition.held !== undefined && !partition.isChanging);
    const surplus = held.slice(0, Math.max(0, held.length - this.#share));
    if (surplus.length === 0) return;
    // Else others would have them only when they look again by themselves.
    void this.#giveBack(surplus).then(() => this.#say(`!${this.#parts.instance}`));
  }

  /** Settles what has started, then lets other processes have the rest. */
  async #giveBack(partitions: readonly Partition[]): Promise<void> {
    const leaving = partitions.filter(({ held, isChanging }) => held !== undefined && !isChanging);
    for (const partition of leaving) partition.isChanging = true;
    const released = this.#releaseAll(leaving).finally(() => this.#leaving.delete(released));
    this.#leaving.add(released);
    await released;
  }

  async #releaseAll(leaving: readonly Partition[]): Promise<void> {
    await Promise.all(leaving.map(({ held }) => held?.feed.pause()));
    void this.#returnUnstarted();
    await Promise.all(leaving.map((partition) => this.#release(partition)));
  }

  /** Of the partitions that others shall have, nothing is started any more. Never rejects. */
  async #returnUnstarted(): Promise<void> {
    if (this.#isReturning) return;
    const { intake } = this.#parts;
    const leaving = this.#partitions.filter(({ isChanging }) => isChanging);
    const returnable = (wasTold: boolean): Set<Ticket> =>
      new Set(leaving.flatMap(({ held }) => held?.feed.returnable(wasTold) ?? []));
    // Else one that is put off again and again would keep its partition here for good.
    intake.giveBackPutOff(returnable(true));
    const tickets = returnable(false);
    if (tickets.size === 0) return;
    this.#isReturning = true;
    try {
      await intake.giveBack(tickets);
    } catch (thrown) {
      // What is not given back is settled here.
      this.#parts.report(thrown, { group: this.#parts.group });
    } finally {
      this.#isReturning = false;
    }
  }

  async #release(partition: Partition): Promise<void> {
    const { held } = partition;
    if (held === undefined) return;
    try {
      await held.feed.settled();
      await held.lease.release(held.feed.highest);
    } catch {
      // No connection: the lease runs out by itself.
    }
    held.feed.close();
    if (partition.held === held) partition.held = undefined;
    partition.isChanging = false;
  }

  /** Another process has it, or will: what came and is not settled comes there again. */
  #lost(partition: Partition): void {
    partition.held?.feed.close();
    partition.held = undefined;
  }

  #stateOf(consumer: string): ReturnType<Connection['consumerState']> {
    return this.#parts.connection.consumerState(this.#parts.names.stream, consumer);
  }

  #say(word: string): void {
    const { connection, names, group } = this.#parts;
    connection.send(names.members(group), word);
  }

  #heard(word: string): void {
    const instance = word.slice(1);
    if (instance === this.#parts.instance) return;
    if (word.startsWith('-')) this.#members.delete(instance);
    if (word.startsWith('-') || word.startsWith('!')) {
      void this.#lookAgain();
      return;
    }
    const isNew = !this.#members.has(instance);
    this.#members.set(instance, this.#parts.clock.elapsed());
    if (isNew) void this.look();
  }
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ item }) => item);
}
