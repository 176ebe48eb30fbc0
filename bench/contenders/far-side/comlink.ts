// The far side of comlink: an exposed function.
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { type Endpoint, expose } from 'comlink';
import { receive } from '../../load/receive.js';

const nodeEndpoint = createRequire(import.meta.url)('comlink/dist/umd/node-adapter.js') as (port: unknown) => Endpoint;

expose(receive, nodeEndpoint(parentPort));
