// All rows of the benchmark, in the order in which they run. A new file in bench/rows is added here.
import { deadLetters } from './rows/dead-letters.js';
import { errorHandling } from './rows/error-handling.js';
import { errorParts } from './rows/error-parts.js';
import { eventLoop } from './rows/event-loop.js';
import { failingPath } from './rows/failing-path.js';
import { fidelity } from './rows/fidelity.js';
import { growth } from './rows/growth.js';
import { latency } from './rows/latency.js';
import { resources } from './rows/resources.js';
import { scaling } from './rows/scaling.js';
import { throughput } from './rows/throughput.js';
import type { Files } from './run/row.js';

export const FILES: Files = [
  throughput,
  latency,
  scaling,
  eventLoop,
  growth,
  errorHandling,
  errorParts,
  failingPath,
  deadLetters,
  resources,
  fidelity,
];
