// The logging worker: the only thread that touches the disk. Started by the main half, asked through Comlink.
// The build makes one file of this and all of ours that it imports, as of a lane's worker: it begins with half of the work.
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { type Endpoint, expose } from 'comlink';
import { systemClock } from '../src/shared/clock.js';
import type { LoggingStart } from '../src/shared/logging-task.js';
import { FollowingClock } from '../src/shared/stepped-time.js';
import { obeyDiskFaults } from './logging/full-disk.js';
import { Keeper } from './logging/keeper.js';
import { Queries } from './logging/queries.js';

const nodeEndpoint = createRequire(import.meta.url)('comlink/dist/umd/node-adapter.js') as (port: unknown) => Endpoint;

const start = workerData as LoggingStart;
if (start.testing !== null) obeyDiskFaults(start.testing.disk);
const time = start.testing?.time ?? null;
const keeper = new Keeper(start, time === null ? systemClock : new FollowingClock(time));
expose(new Queries(keeper), nodeEndpoint(parentPort));
