// The words of a message: what a publisher gives and what a delivery carries.

/** Higher first; none is starved; a retry keeps its priority. */
export type Priority = 'low' | 'normal' | 'high' | 'critical';

/** Every priority, in rising order; its index is its number on the wire. */
export const PRIORITIES: readonly Priority[] = ['low', 'normal', 'high', 'critical'];

/** What waits when a delivery has failed: its key, its whole lane, or nothing. */
export type Ordering = 'key' | 'strict' | 'none';

/** String pairs that travel with a message, trace context among them. */
export type Headers = Readonly<Record<string, string>>;

/**
 * How a payload's bytes are to be read. The numbers are a wire and file format: never reuse one.
 * From BUFFER on the bytes are raw, and the codec says which view they were.
 */
export const Codec = {
  JSON: 1,
  V8: 2,
  COMPACT: 3,
  /** One of the user's, whose name is in the bytes. */
  OWN: 4,
  BUFFER: 16,
  UINT8: 17,
  INT8: 18,
  UINT8_CLAMPED: 19,
  INT16: 20,
  UINT16: 21,
  INT32: 22,
  UINT32: 23,
  FLOAT32: 24,
  FLOAT64: 25,
  BIGINT64: 26,
  BIGUINT64: 27,
  DATA_VIEW: 28,
  ARRAY_BUFFER: 29,
} as const;
export type CodecId = (typeof Codec)[keyof typeof Codec];

/** A message whose payload is encoded: encoded once, then copied to every subscription that matches. */
export interface EncodedMessage {
  readonly id: string;
  readonly topic: string;
  readonly key: string | null;
  readonly priority: Priority;
  readonly headers: Headers | null;
  /** Milliseconds since 1970. */
  readonly publishedAt: number;
  /** Milliseconds since 1970, or 0 for never. */
  readonly expiresAt: number;
  readonly codec: CodecId;
  /** True when the payload lost detail because only the fallback codec could take it. */
  readonly lossy: boolean;
  readonly bytes: Uint8Array;
}
