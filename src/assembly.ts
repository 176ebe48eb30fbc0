// Builds the parts of one bus and joins them to one another.
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { nanoid } from 'nanoid';
import { Breakers } from './breakers.js';
import { Escalation } from './escalation.js';
import { BusEmitter } from './events.js';
import { RetryBudget } from './failure/budget.js';
import { ErrorRecoveryManager } from './failure/recovery.js';
import { RetrySchedule } from './failure/retries.js';
import { FailureNotes } from './failure-notes.js';
import { KeptHere } from './kept-here.js';
import type { LiveSubscription } from './live-subscription.js';
import { DeadLetterQueue } from './observe/dead-letter-queue.js';
import { ErrorLogger } from './observe/error-logger.js';
import { Logging } from './observe/logging.js';
import { Pressure } from './pressure.js';
import { Publisher } from './publish.js';
import { Recoverer } from './recoverer.js';
import { Remote } from './remote.js';
import { Replays } from './replays.js';
import { Replies } from './replies.js';
import { Reporter } from './reporter.js';
import { Republisher } from './republish.js';
import { Requests } from './request.js';
import type { ResolvedBusOptions } from './resolved-options.js';
import { Router } from './routing/router.js';
import { Settler } from './settle.js';
import type { Retry } from './settle-parts.js';
import { sharedClock, systemClock } from './shared/clock.js';
import { largestInRing, messageId } from './shared/delivery.js';
import { FailureDescriber } from './shared/describe.js';
import { ErrorCounters } from './shared/error-counters.js';
import type { LoggingTesting } from './shared/logging-testing.js';
import { createRedactor } from './shared/redact.js';
import { Subscriber } from './subscribe.js';
import { Subscriptions } from './subscriptions.js';
import type { TransportHost } from './transport/transport.js';

/** What a bus is made of, but for its threads, which live from start to stop. */
export interface BusParts {
  readonly router: Router<LiveSubscription>;
  readonly events: BusEmitter;
  readonly pressure: Pressure;
  readonly notes: FailureNotes;
  readonly counters: ErrorCounters;
  readonly breakers: Breakers;
  readonly escalation: Escalation;
  readonly recovery: ErrorRecoveryManager;
  readonly replies: Replies;
  readonly requests: Requests;
  readonly settler: Settler;
  readonly publisher: Publisher;
  readonly subscriptions: Subscriptions;
  readonly subscriber: Subscriber;
  /** Null: all is in memory. */
  readonly remote: Remote | null;
  readonly transportHost: TransportHost;
  /** Aborted once the bus stops. */
  readonly stopping: AbortController;
  /** These three are null when error handling is off. */
  readonly logging: Logging | null;
  readonly errorLogger: ErrorLogger | null;
  readonly deadLetterQueue: DeadLetterQueue | null;
}

function loggingTesting({ testing, clock }: ResolvedBusOptions): LoggingTesting | null {
  return testing && { disk: testing.disk, time: clock.memory ?? null };
}

/**
 * Starts nothing.
 *
 * @param emergencyStop ends the bus at once
 */
export function assemble(options: ResolvedBusOptions, emergencyStop: () => void): BusParts {
  const { clock, enableErrorHandling, errorLogDir, retry, retryBudget, redact, ringBytes, testing } = options;
  const { maxMessageBytes, dedupeWindowMs, codec } = options;
  const instance = testing?.instance ?? nanoid(10);
  const describer = new FailureDescriber(createRedactor(redact), undefined, enableErrorHandling);
  const notes = new FailureNotes(describer, clock, instance);
  const recovery = new ErrorRecoveryManager({ retryConfigs: retry, clock });
  const logging = enableErrorHandling
    ? Logging.of(errorLogDir, join(errorLogDir, 'dead_letter'), logLimitsOf(options), redact, loggingTesting(options))
    : null;
  const counters = new ErrorCounters();
  const escalation = new Escalation(options.onCritical, {
    onTrouble: (thrown) => reporter.log(notes.incident('onCritical', thrown, 'handler')),
    emergencyStop,
  });
  const reporter: Reporter = new Reporter(notes, counters, logging, clock, (report) => escalation.raise(report));
  const [replies, replays] = [new Replies(clock), new Replays()];
  const remote = options.transport === null ? null : new Remote();
  const router = new Router<LiveSubscription>();
  const retries = new RetrySchedule<Retry>(clock, ({ subscription, delivery }) => {
    subscription.endsWaiting(delivery);
    subscription.requeue(delivery);
  });
  const events: BusEmitter = new BusEmitter((event, thrown) =>
    settler.report(notes.incident(`listener of ${event}`, thrown, 'handler')),
  );
  const breakers = new Breakers(options.breakers, sharedClock(clock), (name, state, previous) =>
    events.emit('breaker', { name, state, previous }),
  );
  recovery.showBreakers(() => ({ ...breakers.status(), ...remote?.breakers() }));
  const settler: Settler = new Settler({
    clock,
    recoverer: new Recoverer(recovery, notes, reporter, clock),
    reporter,
    budget: new RetryBudget(clock.elapsed(), retryBudget),
    ...{ retries, replies, replays, logging, remote, notes },
    routed: () => publisher.routed,
    onDeadLetter: ({ subscriberId }, delivery, reason) => {
      const { topic } = delivery;
      events.emit('deadLetter', { subscriberId, topic, id: messageId(delivery, instance), reason });
    },
    onSettled: ({ subscriberId }, delivery, outcome, reason) => {
      remote?.settled(delivery.number, outcome);
      testing?.settled({ subscriberId, topic: delivery.topic, id: messageId(delivery, instance), outcome, reason });
    },
  });
  const publisher: Publisher = new Publisher({
    ...{ clock, router, settler, notes, instance, remote, maxMessageBytes, dedupeWindowMs, codec },
    largestInRing: largestInRing(ringBytes),
  });
  const pressure = new Pressure(events, router, publisher);
  const [subscriptions, stopping] = [new Subscriptions(), new AbortController()];
  const shared = { subscriptions, router, events, pressure, breakers, replies, settler, publisher, remote };
  const subscriber = new Subscriber({ ...shared, options, instance, replays, retries, notes, describer });
  return {
    ...shared,
    ...{ notes, counters, escalation, recovery, subscriber, logging, stopping },
    transportHost: hostOf(instance, notes, reporter, events, new KeptHere({ notes, events, logging }), stopping.signal),
    requests: new Requests({ router, publisher, replies }),
    errorLogger: enableErrorHandling ? new ErrorLogger({ logDir: errorLogDir }) : null,
    deadLetterQueue:
      logging &&
      new DeadLetterQueue(
        { storageDir: logging.letterFolder },
        new Republisher({ ...shared, replays, notes, find: (...names) => subscriptions.find(...names) }),
        clock,
        () => remote?.transport?.letters,
      ),
  };
}

/** What a transport is given. */
function hostOf(
  instance: string,
  notes: FailureNotes,
  reporter: Reporter,
  events: BusEmitter,
  kept: KeptHere,
  stopping: AbortSignal,
): TransportHost {
  // Each consumer that is being made listens, and Node warns of more than ten.
  setMaxListeners(Number.POSITIVE_INFINITY, stopping);
  return {
    // Servers keep the real time.
    clock: systemClock,
    stopping,
    instance,
    report: (component, thrown, context) => reporter.log(notes.incident(component, thrown, 'setup', context)),
    isKeeping: kept.isOn,
    keepMessage: (message, problem) => kept.message(message, problem),
    keepLetter: (header, payload) => kept.letter(header, payload),
    breakerChanged: (name, state, previous) => events.emit('breaker', { name, state, previous }),
  };
}

function logLimitsOf({ maxLogSize, maxLogFiles }: ResolvedBusOptions): { maxLogBytes: number; maxLogFiles: number } {
  return { maxLogBytes: maxLogSize, maxLogFiles };
}
