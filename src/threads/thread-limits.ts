// What one worker thread may use; a file of its own, because it is part of the public types.

/** Limits of one worker thread's JavaScript heap, in MiB. They do not cover Buffers. */
export interface ThreadLimits {
  readonly maxOldGenerationSizeMb?: number;
  readonly maxYoungGenerationSizeMb?: number;
  readonly codeRangeSizeMb?: number;
  readonly stackSizeMb?: number;
}
