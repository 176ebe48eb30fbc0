// Every word of shared memory: where it lies, who writes it, who reads it.
//
// A RING has one writer and one reader. Its SharedArrayBuffer begins with control words, each writer's words on a cache
// line pair of their own (128 bytes: adjacent-line prefetch makes 64 too few), then the records:
//
//   byte 0    TAIL        writer   bytes committed since the beginning, mod 2^32
//   byte 4    WRITTEN     writer   records committed since the beginning, mod 2^32; set just before TAIL
//   byte 8    INTENDED    writer   the TAIL after the record being committed, plus its SEQUENCE mod 8; set before WRITTEN
//   byte 128  HEAD        reader   bytes released since the beginning, mod 2^32
//   byte 132  SUCCEEDED   reader   records released because their handler succeeded (lane rings only)
//   byte 136  RUNNING     reader   SEQUENCE of the record whose handler runs, or a released one's (serial lanes only)
//   byte 144  STARTED_AT  reader   double: Clock.elapsed() when it was called, before RUNNING
//   byte 256  WANTED      writer   a HEAD position, plus 1: ring the writer's doorbell once there; 0: do not
//   byte 384  records     capacity bytes, a power of two
//
// A position is a byte count; its place is `position & (capacity - 1)`. A RECORD never wraps: where it does not fit
// before the end, a padding record fills the rest. It is 8-byte aligned:
//
//   byte 0    LENGTH      writer   header and body in bytes, unpadded; negative: padding of -LENGTH bytes
//   byte 4    KIND        writer   what the body is; in a lane ring the GENERATION (see PARKED) when it was written
//   byte 8    SEQUENCE    writer   WRITTEN before this record
//   byte 12   STATE       reader   READY 0, STARTED 1, DONE 2 (these in lanes with concurrency only; the writer sets READY),
//                                  ENDED 3: its handler has ended, and what it came to waits for room in the outbox
//   byte 16   body
//
// A DOORBELL wakes its one sleeper:
//
//   byte 0    CHIME       ringers  counts the rings that met a sleeper
//   byte 128  SLEEPING    sleeper  1 while it sleeps or is about to; only the sleeper ever changes it
//   byte 132  NAP         sleeper  counts its sleeps, mod 2^32; written before SLEEPING
//
// What is PARKED in a lane, that is, waits on main for the verdict on a delivery before it:
//
//   byte 0    GENERATION  main     counts the parkings of this lane, mod 2^32
//   byte 4    ANSWERED    main     counts the outcomes on which main has decided, mod 2^32
//   byte 128  slots       main     one word for the streams that hash there: the GENERATION of their last parking
//
// When a reader's thread is dead, and only then, main owns the reader's words and may repair them.

export const TAIL = 0;
export const WRITTEN = 1;
export const INTENDED = 2;
export const HEAD = 32;
export const SUCCEEDED = 33;
/** Handlers run one after the other: what runs stands here, and records are only read. */
export const RUNNING = 34;
/** In doubles. */
export const STARTED_AT = 18;
export const WANTED = 64;

/** Bytes of control words before a ring's records. */
export const RING_CONTROL_BYTES = 384;

/** Offsets in a record, in words. */
export const LENGTH = 0;
export const KIND = 1;
export const SEQUENCE = 2;
export const STATE = 3;

/** Bytes of a record before its body. */
export const RECORD_HEADER_BYTES = 16;

export const READY = 0;
export const STARTED = 1;
export const DONE = 2;
export const ENDED = 3;

export const CHIME = 0;
export const SLEEPING = 32;
export const NAP = 33;
export const DOORBELL_BYTES = 256;

export const GENERATION = 0;
export const ANSWERED = 1;
/** Word of the first slot. */
export const PARKED_SLOTS = 32;
/** 256 slots for each of four priorities. */
export const PARKED_BYTES = 128 + 4 * 256 * 4;

/** Rounds up to the 8 bytes that every record is aligned to. */
export function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}
