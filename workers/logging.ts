// The logging worker: the only thread that touches the disk. Started by the main half, asked through Comlink.
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { type Endpoint, expose } from 'comlink';
import type { LoggingStart } from '../src/shared/logging-task.js';
import { Keeper } from './logging/keeper.js';

const nodeEndpoint = createRequire(import.meta.url)('comlink/dist/umd/node-adapter.js') as (port: unknown) => Endpoint;

expose(new Keeper(workerData as LoggingStart), nodeEndpoint(parentPort));
