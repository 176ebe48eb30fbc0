// All rows of the benchmark, in the order in which they run. A new file in bench/rows is added here.
import { throughput } from './rows/throughput.js';
import type { Row } from './run/row.js';

export const ROWS: readonly Row[] = [...throughput];
