// What a bus tells those who listen.
import { EventEmitter } from 'node:events';
import type { CircuitState } from './shared/breaker.js';
import { invalidOption } from './shared/errors.js';
import { oneOf } from './shared/option-checks.js';
import type { DeadLetterReason } from './shared/report.js';

/**
 * The events of a bus, by name, with what each listener is given. Listeners run soon after what they are told of, when the
 * code that caused it has ended, and before the event loop's next turn.
 */
export interface BusEvents {
  /** A handler logged a line: without its secrets. */
  log: [
    line: {
      readonly level: 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: unknown;
      readonly id: string;
      readonly topic: string;
      readonly subscriberId: string;
    },
  ];
  /** A delivery was given up, and its letter is kept. */
  deadLetter: [
    letter: {
      readonly subscriberId: string;
      readonly topic: string;
      readonly id: string;
      readonly reason: DeadLetterReason;
    },
  ];
  /** 80 % of a queue's `maxQueueSize` or `maxQueueBytes` are in use: slow down, and see `ready()`. */
  pressure: [queue: QueueState];
  /** Half of that queue is free again. Noticed within 64 ms. */
  drain: [queue: QueueState];
  /** A breaker changed its state, on whatever thread. Noticed within 25 ms while messages are pending. */
  breaker: [change: { readonly name: string; readonly state: CircuitState; readonly previous: CircuitState }];
}

/** A subscription's queue, when it has come to one of its watermarks. */
export interface QueueState {
  readonly subscriberId: string;
  readonly pattern: string;
  /** Deliveries that wait. */
  readonly deliveries: number;
  /** Bytes of their payloads. */
  readonly bytes: number;
}

const EVENTS: Readonly<Record<keyof BusEvents, true>> = {
  log: true,
  deadLetter: true,
  pressure: true,
  drain: true,
  breaker: true,
};

type Listener<K extends keyof BusEvents> = (...args: BusEvents[K]) => void;

/** Listeners of a bus. One that throws is reported, and does not hurt the others or the bus. */
export class BusEmitter {
  readonly #emitter = new EventEmitter();
  readonly #onThrow: (event: string, thrown: unknown) => void;

  constructor(onThrow: (event: string, thrown: unknown) => void) {
    this.#onThrow = onThrow;
    this.#emitter.setMaxListeners(0);
  }

  /** @throws BUSBAR_INVALID_OPTION */
  on<K extends keyof BusEvents>(event: K, listener: Listener<K>): void {
    this.#emitter.on(...checked(event, listener));
  }

  /** @throws BUSBAR_INVALID_OPTION */
  once<K extends keyof BusEvents>(event: K, listener: Listener<K>): void {
    this.#emitter.once(...checked(event, listener));
  }

  /** @throws BUSBAR_INVALID_OPTION */
  off<K extends keyof BusEvents>(event: K, listener: Listener<K>): void {
    this.#emitter.off(...checked(event, listener));
  }

  /** Not at once: a listener may publish, while the message that it is told of is still on its way into other queues. */
  emit<K extends keyof BusEvents>(event: K, ...args: BusEvents[K]): void {
    if (this.#emitter.listenerCount(event) > 0) queueMicrotask(() => this.#tell(event, args));
  }

  #tell<K extends keyof BusEvents>(event: K, args: BusEvents[K]): void {
    for (const listener of this.#emitter.rawListeners(event)) {
      try {
        listener.apply(this.#emitter, args);
      } catch (thrown) {
        this.#onThrow(event, thrown);
      }
    }
  }
}

/** A misspelt event would be one that never comes. */
function checked<K extends keyof BusEvents>(
  event: K,
  listener: Listener<K>,
): [event: K, listener: (...args: unknown[]) => void] {
  oneOf('event', event, Object.keys(EVENTS));
  if (typeof listener !== 'function') throw invalidOption('listener', 'a function', listener);
  return [event, listener as (...args: unknown[]) => void];
}
