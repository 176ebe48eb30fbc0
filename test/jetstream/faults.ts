// The faults of a chaos trial: so many of them, one after the other, while messages are published.
import type { JetStreamOptions } from '../../src/transport/jetstream.js';
import { randomFrom } from '../random.js';
import { type Crew, pause } from './crew.js';
import type { NatsServer } from './nats-server.js';
import type { TcpProxy } from './proxy.js';

export type Fault =
  | 'kill process'
  | 'stop process'
  | 'freeze process'
  | 'kill server'
  | 'kill leader'
  | 'freeze server'
  | 'cut connection';

/** Faults that come one after the other; those of another course may come at the same time. */
export interface Course {
  /** Each is one of these. */
  readonly kinds: readonly Fault[];
  /** How many there are. */
  readonly count: number;
}

export interface FaultOptions {
  readonly servers: readonly NatsServer[];
  /** Who leads the stream, in a cluster. */
  readonly leader?: () => Promise<NatsServer | undefined>;
  /** Waits until none of them lacks what the others have; false: in vain. */
  readonly hasCaughtUp?: () => Promise<boolean>;
  readonly proxy?: TcpProxy;
  readonly courses: readonly Course[];
  /** Between two faults of a course, in milliseconds: half of it to half as much again. */
  readonly everyMs: number;
  readonly transport: JetStreamOptions;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly log: (line: string) => void;
}

/** How often each fault was committed. */
export type Dose = Partial<Record<Fault, number>>;

/** Resolves once all courses are over. */
export async function commitAll(options: FaultOptions, crew: Crew): Promise<Dose> {
  const dose: Dose = {};
  // What each commits does not depend on how long those of another take.
  const seeds = options.courses.map(() => Math.floor(options.random() * 2 ** 32));
  await Promise.all(
    options.courses.map((course, index) => follow(course, options, crew, seeds[index] as number, dose)),
  );
  return dose;
}

async function follow(
  { kinds, count }: Course,
  options: FaultOptions,
  crew: Crew,
  seed: number,
  dose: Dose,
): Promise<void> {
  const { everyMs, log } = options;
  const random = randomFrom(seed);
  for (let index = 0; index < count; index++) {
    await pause(everyMs * (0.5 + random()));
    const fault = kinds[Math.floor(random() * kinds.length)] as Fault;
    if (!(await commit(fault, { ...options, random }, crew))) {
      log(`no more of ${kinds.join(', ')}: the servers do not catch up`);
      return;
    }
    dose[fault] = (dose[fault] ?? 0) + 1;
  }
}

/** False: the servers never were as they have to be before it. */
async function commit(fault: Fault, options: FaultOptions, crew: Crew): Promise<boolean> {
  const { servers, proxy, random, transport, log } = options;
  const server = servers[Math.floor(random() * servers.length)] as NatsServer;
  const frozenMs = (transport.leaseMs ?? 5000) * 2;
  switch (fault) {
    case 'kill process':
      log(fault);
      await crew.replace(Math.floor(random() * crew.size));
      break;
    case 'stop process':
      log(fault);
      await crew.renew(Math.floor(random() * crew.size));
      break;
    case 'kill server':
    case 'kill leader': {
      if ((await options.hasCaughtUp?.()) === false) return false;
      const leader = fault === 'kill leader' ? await options.leader?.() : undefined;
      const victim = leader ?? server;
      log(`${fault}: ${victim.url}${fault === 'kill leader' && leader === undefined ? ', for nobody leads now' : ''}`);
      await bounce(victim, random);
      break;
    }
    case 'freeze process': {
      log(fault);
      const thaw = crew.freeze(Math.floor(random() * crew.size));
      await pause(frozenMs);
      thaw();
      break;
    }
    case 'freeze server':
      log(fault);
      server.freeze();
      await pause(frozenMs);
      server.thaw();
      break;
    case 'cut connection':
      log(fault);
      proxy?.cut();
      break;
    default:
      fault satisfies never;
  }
  return true;
}

/** As `kill -9`; it is back soon, with what it has on its disk. */
async function bounce(server: NatsServer, random: () => number): Promise<void> {
  await server.kill();
  await pause(200 + 300 * random());
  await server.start();
}
