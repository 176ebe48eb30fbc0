// The names of the promises of delivery, and what keeps them.
import type { MessageBus } from '../src/index.js';

/** Every promise, by its name; README's table has the same. */
export type PromiseName =
  | 'accounting'
  | 'at least once'
  | 'all of a message is carried'
  | 'one delivery for each subscription'
  | 'order of a key'
  | 'higher priorities first'
  | 'retries are counted'
  | 'what a handler publishes comes once it succeeds'
  | 'a handler decides'
  | 'expired messages are dropped'
  | 'dead letters are complete, and replayed'
  | 'isolation'
  | 'acceptance can be awaited'
  | 'a topic accepts an id once'
  | 'subscribers share a subscription'
  | 'messages outlive the process'
  | 'what is left at stop is dead-lettered';

/** A transport under test. */
export interface Contender {
  readonly name: string;
  /** Starts a bus; with a `place`, buses of one place have the same messages. */
  start(place?: string): Promise<MessageBus>;
  /** Promises that cannot be kept, and why. */
  readonly cannot: Partial<Record<PromiseName, string>>;
}
