// Where the files of the worker threads lie. Looked for before a thread begins: one without its file would end, and Piscina
// would begin the next, without end.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { BusbarError } from './errors.js';

const { resolve } = createRequire(import.meta.url);

/** @throws BUSBAR_PACKAGE */
export function workerFile(name: 'lane.cjs' | 'logging.cjs'): URL {
  try {
    return pathToFileURL(resolve(`../../workers/${name}`));
  } catch (cause) {
    const what = `the file of a worker thread is missing: workers/${name}; a bundler must leave busbar out (as external)`;
    throw new BusbarError('BUSBAR_PACKAGE', what, { cause });
  }
}
