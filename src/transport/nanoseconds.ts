// Servers count durations and moments in nanoseconds.

/** In a millisecond. */
export const NANOSECONDS = 1_000_000;
