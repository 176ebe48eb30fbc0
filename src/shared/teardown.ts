// What main and the lane workers tell each other, on a broadcast channel, about handlers that have a teardown.
import type { LoadFailure } from './lane-task.js';
import type { RedactOptions } from './redact.js';

/** `key`: of the handler, see `handlerKey`. `thread`: its id. */
export type TeardownMessage =
  | { readonly kind: 'set-up'; readonly key: string; readonly thread: number }
  | { readonly kind: 'tear-down'; readonly key: string; readonly redact: RedactOptions }
  | { readonly kind: 'torn-down'; readonly key: string; readonly thread: number; readonly failure: LoadFailure | null };
