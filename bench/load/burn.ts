// Work for a processor: a fixed amount of it, for a clock would also run while the thread has no core.

/**
 * `hash = 1; step = 0; do hash = (hash ^ step) * 16777619; while (++step < steps)`, in 32-bit integers.
 *
 * In WebAssembly, for what V8 makes of the same loop in JavaScript depends on who calls it and how often: it took three times as
 * long on one thread as on another.
 */
// biome-ignore format: a line for each part
const MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  // One type: an i32 gives an i32. One function of it, exported as `burn`.
  1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f,
  3, 2, 1, 0,
  7, 8, 1, 4, 0x62, 0x75, 0x72, 0x6e, 0, 0,
  // Its code, with two locals: 1 is `hash`, 2 is `step`.
  0x0a, 0x28, 1, 0x26, 1, 2, 0x7f,
  0x41, 1, 0x21, 1,
  0x03, 0x40,
  0x20, 1, 0x20, 2, 0x73, 0x41, 0x93, 0x83, 0x80, 0x8, 0x6c, 0x21, 1,
  0x20, 2, 0x41, 1, 0x6a, 0x22, 2, 0x20, 0, 0x48, 0x0d, 0,
  0x0b, 0x20, 1, 0x0b,
]);

/** Node's; its types come with those of browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** Does this many steps, 1 or more. Runs on any thread. */
export const burn = new WebAssembly.Instance(new WebAssembly.Module(MODULE)).exports['burn'] as (
  steps: number,
) => number;

let stepsPerMicrosecond = 0;

/** Steps that take so long on this machine, with nothing else to do. Found out once for all: the same work for everybody. */
export function stepsFor(microseconds: number): number {
  stepsPerMicrosecond ||= calibrate();
  return Math.round(stepsPerMicrosecond * microseconds);
}

function calibrate(): number {
  const steps = 1_000_000;
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    const began = performance.now();
    burn(steps);
    fastest = Math.min(fastest, performance.now() - began);
  }
  return steps / (fastest * 1000);
}
