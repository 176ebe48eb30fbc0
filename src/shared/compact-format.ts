// The compact format of plain data: what its writer and its reader must agree on.
//
//   0        1          2        4                  8                 text offset         end
//   ┌────────┬──────────┬────────┬──────────────────┬─────────────────┬────────────────────┐
//   │ version│ text kind│ 0    0 │ text offset (u32)│ values: tag, …  │ all text, in order │
//   └────────┴──────────┴────────┴──────────────────┴─────────────────┴────────────────────┘
//
// Strings stand together at the end: one call into native code writes them all, and one reads them all. The keys of an
// object stand there too, once for each shape in a record, as `<length>:<key>` one after the other. Numbers are
// little-endian; lengths and indices are LEB128, in UTF-16 units where text is meant. Every record stands alone.

/** Raised when the meaning of the bytes changes; a reader refuses what it does not know. */
export const COMPACT_VERSION = 1;
export const HEADER_BYTES = 8;

/** How the text is stored: one byte a character when all are below 256, else UTF-16, which keeps lone surrogates. */
export const TextKind = { LATIN1: 0, UTF16: 1 } as const;

/** The first byte of a value. From SHORT_STRING on, what exceeds it is the length of a string. */
export const Tag = {
  NULL: 0,
  UNDEFINED: 1,
  FALSE: 2,
  TRUE: 3,
  INT8: 4,
  INT32: 5,
  FLOAT64: 6,
  STRING: 7,
  DATE: 8,
  ARRAY: 9,
  /** An object whose shape stands in the text and gets the next index. */
  NEW_SHAPE: 10,
  /** An object of a shape met before: its index follows. */
  KNOWN_SHAPE: 11,
  /** An object of many keys: their number, then each key as a length in the text, and its value. */
  DICTIONARY: 12,
  SHORT_STRING: 64,
} as const;

/** The longest string that its tag alone can tell. */
export const LONGEST_SHORT_STRING = 255 - Tag.SHORT_STRING;

/** Deeper values are not written in this format, and not read. */
export const MOST_LEVELS = 64;
