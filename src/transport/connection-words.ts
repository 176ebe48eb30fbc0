// What passes between the connection to the servers and its users.
import type { BusbarError } from '../shared/errors.js';

/** A message as the client hands it over. `data` is a view; headers are read when they are asked for, and most are not. */
export interface Incoming {
  readonly subject: string;
  readonly reply?: string;
  readonly data: Uint8Array;
  /** The status of a message without payload, such as 408 or 503, and what it is in words. */
  readonly headers?: { readonly code: number; readonly description: string };
}

/** What lies in a stream. */
export interface Kept {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  header(name: string): string;
}

/** The last message of a subject, that of a sequence, or the first of a subject from there on. */
export type Which = { readonly last_by_subj: string } | { readonly seq: number; readonly next_by_subj?: string };

/** How a consumer stands. */
export interface ConsumerState {
  /** Delivered, and neither acknowledged nor given back. */
  readonly unacknowledged: number;
  /** Requests for messages that the server still holds. */
  readonly requests: number;
  /** Not delivered yet. */
  readonly undelivered: number;
  /** The highest sequence that the server knows to have delivered. */
  readonly deliveredUpTo: number;
  /** All up to this sequence is settled. */
  readonly settledUpTo: number;
  /** Deliveries so far, repeated ones among them. */
  readonly deliveries: number;
}

/** What a stream holds. */
export interface StreamState {
  /** Messages. */
  readonly count: number;
  /** The lowest sequence. */
  readonly first: number;
  /** Sequences above it that are gone. */
  readonly goneCount: number;
  readonly gone: readonly number[];
}

/** What an open inbox can do. */
export interface Listening {
  /** Takes no more; resolves once all that was sent before has been handed over. */
  drain(): Promise<void>;
}

/** Settings as the server knows them. */
export type Settings = Readonly<Record<string, unknown>>;

/** What the connection tells. */
export interface ConnectionEvents {
  down(): void;
  up(): void;
  /** Something that the server refused, or that went wrong while reconnecting. */
  error(error: BusbarError): void;
}

export interface ConnectionOptions {
  readonly servers: readonly string[];
  /** Handed to the client as it is: credentials, TLS. */
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly name: string;
  readonly connectTimeoutMs: number;
  /** A server that does not answer two pings in a row is lost. In milliseconds. */
  readonly pingMs: number;
  /** The longest wait between two attempts to reconnect, in milliseconds. */
  readonly maxReconnectMs: number;
  /** Aborted: nobody needs the connection that is being opened. */
  readonly stopping?: AbortSignal;
}
