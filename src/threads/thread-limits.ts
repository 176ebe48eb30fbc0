// What one worker thread may use; a file of its own, because it is part of the public types.

/** Limits of one worker thread's JavaScript heap, in MiB. They do not cover Buffers. */
export interface ThreadLimits {
  /** The main heap, in MiB; beyond it the thread ends, and the message that it ran is given up. */
  readonly maxOldGenerationSizeMb?: number;
  /** The heap of young objects, in MiB. */
  readonly maxYoungGenerationSizeMb?: number;
  /** Memory for generated code, in MiB. */
  readonly codeRangeSizeMb?: number;
  /** The stack, in MiB. */
  readonly stackSizeMb?: number;
}
