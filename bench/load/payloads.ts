// The payloads that are sent: what they are called, and how many may be under way when nobody waits for replies.

export interface Load {
  readonly label: string;
  readonly payload: Uint8Array | SmallObject;
  /** What {@link receive} returns for it. */
  readonly reply: number;
  /** Messages under way at most in a stream: some megabytes of the large ones. */
  readonly window: number;
}

/** An object of 200 bytes as JSON. */
export interface SmallObject {
  readonly id: number;
  readonly [field: string]: unknown;
}

const SMALL_OBJECT: SmallObject = {
  id: 4711,
  sensor: 'greenhouse-no-4',
  takenAt: 1764000000123,
  celsius: 21.375,
  humidity: 0.4375,
  readings: [1.5, 2.25, 3.125, 4, 5.5, 6.75, 7.875, 8],
  tags: { room: 'north', row: 4, side: 'left' },
  ok: true,
};

export const BYTES_64: Load = bytes('64 B', 64, 4096);
export const OBJECT_200: Load = { label: '200 B object', payload: SMALL_OBJECT, reply: SMALL_OBJECT.id, window: 4096 };
export const KIB_1: Load = bytes('1 KB', 1024, 2048);
export const KIB_64: Load = bytes('64 KB', 64 * 1024, 128);
export const MIB_1: Load = bytes('1 MB', 1024 * 1024, 16);

/** Its buffer is its own: a small Buffer would bring its whole pool along when it is cloned. */
function bytes(label: string, length: number, window: number): Load {
  return { label, payload: new Uint8Array(length).fill(7), reply: length, window };
}
