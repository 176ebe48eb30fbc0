// A bus that the tests of a file share where starting one is not the point: threads cost more than most tests do.
import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import type { ErrorReport, MessageBus, MessageBusOptions, Subscription } from '../src/index.js';
import { assertAccounting, makeBus, makeFolder, startBus } from './test-bus.js';

const MOST_REPORTS = 1000;

/** Each test finds it without subscriptions and without letters. */
export interface SharedBus {
  readonly bus: MessageBus;
  /** Of its error log. */
  readonly folder: string;
  /** Another bus on its folder, whose log has a thread already. Stopped after the test. */
  beside(options?: Omit<MessageBusOptions, 'errorLogDir'>): Promise<MessageBus>;
  /** What was reported since the test began, the newest first. */
  reports(): Promise<ErrorReport[]>;
  /** Threads that died and were replaced since the test began. */
  replaced(): number;
}

/** Started before the first test of the file or `describe` that calls this, stopped after its last one. */
export function shareBus(options: Omit<MessageBusOptions, 'errorLogDir'> = {}): SharedBus {
  const folder = makeFolder();
  let bus: MessageBus;
  let before = { reports: 0, replaced: 0 };
  const subscriptions: Subscription[] = [];

  const allReports = async (): Promise<ErrorReport[]> => {
    const all = (await bus.errorLogger?.recentErrors({ limit: MOST_REPORTS })) ?? [];
    // That a bus beside it has no socket.
    return all.filter(({ component }) => component !== 'control_socket');
  };
  const allReplaced = (): number => bus.getHealthStatus().threads.replaced;

  beforeAll(async () => {
    bus = makeBus({ ...options, errorLogDir: folder });
    await bus.start();
    const subscribe = bus.subscribe.bind(bus);
    bus.subscribe = async (...args) => {
      const subscription = await subscribe(...args);
      subscriptions.push(subscription);
      return subscription;
    };
  });

  beforeEach(async () => {
    before = { reports: (await allReports()).length, replaced: allReplaced() };
  });

  afterEach(async () => {
    assertAccounting(bus.getHealthStatus());
    await Promise.all(subscriptions.splice(0).map((subscription) => subscription.unsubscribe({ drain: false })));
    await bus.deadLetterQueue?.clear();
  });

  afterAll(async () => {
    await bus.stop({ drain: false });
    rmSync(folder, { recursive: true, force: true });
  });

  return {
    folder,
    beside: (options) => startBus({ ...options, errorLogDir: folder }),
    get bus() {
      return bus;
    },
    reports: async () => {
      const all = await allReports();
      return all.slice(0, all.length - before.reports);
    },
    replaced: () => allReplaced() - before.replaced,
  };
}
