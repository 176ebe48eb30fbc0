// Tells main that this thread ends, before it does: taking a thread down takes Node 8 ms more, in which nobody works.

let listener: ((code: number) => void) | undefined;

/** What process.exit() calls last, after its listeners; not in Node's types, and left in place for those who wrap it. */
type Ending = { reallyExit(code?: number): void };

/**
 * Calls what {@link listenToExit} was given when no code of this thread can run any more. Call once for each thread.
 * Of an end by lack of memory nothing is told: no code can run then.
 */
export function announceExit(): void {
  const ending = process as unknown as Ending;
  const { reallyExit } = ending;
  ending.reallyExit = (code) => {
    listener?.(code ?? 0);
    reallyExit.call(process, code);
    // It only asks for the end: V8 looks at that in each turn of a loop, but not after each call.
    for (;;);
  };
}

/** Undefined: nobody listens. `next` must not throw. */
export function listenToExit(next: ((code: number) => void) | undefined): void {
  listener = next;
}
