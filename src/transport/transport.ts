// The contract between a bus and a transport that carries its messages beyond the process. In memory there is none.
import type { CircuitState } from '../shared/breaker.js';
import type { Clock } from '../shared/clock.js';
import type { Signal } from '../shared/handler.js';
import type { TransportHealth } from '../shared/health-status.js';
import type { LetterStore } from '../shared/letter-store.js';
import type { LetterHeader } from '../shared/logging-task.js';
import type { EncodedMessage } from '../shared/message.js';

/** A message as a transport brings it to one subscription. Its bytes may be a view: copy what is kept. */
export interface Arrival extends EncodedMessage {
  /** Attempts that may have been started before, on any machine. */
  readonly started: number;
}

/** What became of an arrival. `deadLettered`: its letter is stored. */
export type Settlement = 'succeeded' | 'deadLettered' | 'dropped';

/** The transport's end of one arrival. */
export interface Ticket {
  /** Called once, when the delivery is settled: only now does the transport let go of the message. */
  settle(settlement: Settlement): void;
  /**
   * Instead of `settle`: the bus stops, and another process shall have the message.
   *
   * @param started attempts that may have been started so far, on any machine
   */
  release(started: number): void;
}

/** Where a subscription takes in what a transport brings. None of its methods throws. */
export interface Intake {
  readonly pattern: string;
  readonly subscriberId: string;
  /** Deliveries that may be unsettled here at the same time: what rings and backlog have room for. */
  readonly room: number;
  /** Bytes of them; a message may be larger. */
  readonly roomBytes: number;
  take(arrival: Arrival, ticket: Ticket): void;
  /** Gives a message up that must not, or cannot, be handled. */
  giveUp(arrival: Arrival, ticket: Ticket, reason: 'poison' | 'not_retryable', thrown: unknown): void;
  /** Releases those of these tickets whose deliveries have not failed here. Resolves once what runs now has ended. */
  giveBack(tickets: ReadonlySet<Ticket>): Promise<void>;
  /** As `giveBack`, for tickets that were asked for before: those that were put off since, and wait. Stops nothing. */
  giveBackPutOff(tickets: ReadonlySet<Ticket>): void;
}

/** A subscription's hold on the transport. */
export interface Inflow {
  /** Brings nothing more; resolves once nothing is on its way any more. What was brought is still to be settled. */
  pause(): Promise<void>;
  /** Takes `pause` back. */
  resume(): void;
  /** True when the transport holds nothing for this subscription that could be brought here now. */
  isDry(): Promise<boolean>;
  /** Gives its place to other processes. Everything that was brought must be settled. */
  close(): Promise<void>;
}

/** What a transport is given by its bus. */
export interface TransportHost {
  readonly clock: Clock;
  /** Aborted once the bus stops: what is being opened is not needed any more. */
  readonly stopping: Signal;
  /** Names this bus among all processes; begins the ids of its messages. */
  readonly instance: string;
  /** Something failed that is no delivery's fault. Never throws. */
  report(component: string, thrown: unknown, context?: Record<string, unknown>): void;
  /** False: error handling is off, and nothing is kept here. */
  readonly isKeeping: boolean;
  /**
   * Keeps here a message that was taken and that the servers will never store: as a dead letter with the reason `unpublished`.
   * Resolves once it is on the disk, or cannot be. Never rejects. Copies the payload.
   */
  keepMessage(message: EncodedMessage, problem: unknown): Promise<void>;
  /** The same for a dead letter. */
  keepLetter(header: LetterHeader, payload: Uint8Array): Promise<void>;
  /** The transport's breaker changed its state. */
  breakerChanged(name: string, state: CircuitState, previous: CircuitState): void;
}

/** How a publication ended: stored, or not, and why. */
export type OnStored = (problem?: Error) => void;

/**
 * Where a publication comes from. `handler`: its delivery is settled only once it is stored, or kept. `letter`: it was published
 * before, and may be stored already.
 */
export type Origin = 'caller' | 'handler' | 'letter';

/** A running transport. Runs on the main thread. */
export interface Transport {
  /** Dead letters of all processes. */
  readonly letters: LetterStore;
  /**
   * Takes a message on its way. False: refused, and `onStored` is not called. What is taken, and can never be stored, is told by
   * `onStored`, or, without one, kept by the host; it takes room until it is. Never throws.
   *
   * @param onStored the message waits for room, too
   */
  publish(message: EncodedMessage, origin: Origin, onStored?: OnStored): boolean;
  /** Resolves when there is room for more messages; at once when there is much. */
  ready(): Promise<void>;
  /** @throws a BusbarError: connection, permission or settings */
  subscribe(intake: Intake): Promise<Inflow>;
  health(): TransportHealth;
  /** Published messages that are not stored yet. */
  readonly unstored: number;
  /** Sends what is left, for at most this long, in milliseconds, and disconnects. */
  stop(timeoutMs: number): Promise<void>;
}

/** What the bus's `transport` option takes: made by `jetstream()` of `busbar/jetstream`. */
export interface TransportMaker {
  readonly name: string;
  /** @throws a BusbarError: connection, permission or settings */
  start(host: TransportHost): Promise<Transport>;
}
