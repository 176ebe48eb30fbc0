// All rows of the benchmark, in the order in which they run. A new file in bench/rows is added here.
import { latency } from './rows/latency.js';
import { throughput } from './rows/throughput.js';
import type { Row } from './run/row.js';

export const ROWS: readonly Row[] = [...throughput, ...latency];
