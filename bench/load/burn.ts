// Work for a processor: a fixed amount of it, for a clock would also run while the thread has no core.

/** Does this many steps. Runs on any thread; returns something, so that no compiler leaves the work out. */
export function burn(steps: number): number {
  // Small integers all along: with one double among them, a loop takes three times as long. What comes of Math.round, or of
  // another thread, may be a double that looks like an integer.
  const end = steps | 0;
  let hash = 1;
  for (let step = 0; step < end; step++) hash = Math.imul(hash ^ step, 16777619);
  return hash;
}

let stepsPerMicrosecond = 0;

/** Steps that take so long on this machine, with nothing else to do. Found out once for all: the same work for everybody. */
export function stepsFor(microseconds: number): number {
  stepsPerMicrosecond ||= calibrate();
  return Math.round(stepsPerMicrosecond * microseconds);
}

function calibrate(): number {
  const steps = 1_000_000;
  let fastest = Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let round = 0; round < 10; round++) {
    const began = performance.now();
    sum += burn(steps);
    fastest = Math.min(fastest, performance.now() - began);
  }
  if (Number.isNaN(sum)) throw new Error('work that comes to nothing');
  return steps / (fastest * 1000);
}
