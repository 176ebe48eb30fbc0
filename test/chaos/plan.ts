// What a round of chaos is made of, all of it from its seed: the bus, its subscriptions, its messages.
import type { MessageBusOptions, SubscribeOptions } from '../../src/index.js';
import type { Random } from '../random.js';
import { type DeedName, deedOf, GRACE_MS, HEAVY_DEEDS, LIGHT_DEEDS, RETRY } from './deeds.js';

/** How much chaos. */
export interface Amounts {
  readonly deliveries: number;
  /** About so many of them misbehave at little cost. */
  readonly light: number;
  /** About so many of them end a thread, or run past a deadline. */
  readonly heavy: number;
}

export interface Subject {
  readonly topic: string;
  readonly options: SubscribeOptions;
  /** Its deadline is short: what runs past it is here, what ends its thread is elsewhere, however slow the machine is. */
  readonly isQuick: boolean;
  /** Its handler may be called with several messages at a time. */
  readonly isConcurrent: boolean;
}

export interface Plan {
  readonly bus: MessageBusOptions;
  readonly subjects: readonly Subject[];
  readonly messages: readonly PlannedMessage[];
  readonly streams: number;
  /** Messages published before it is asked whether the bus is ready for more: they fit in any queue that is. */
  readonly burst: number;
}

export interface PlannedMessage {
  readonly subject: Subject;
  readonly priority: (typeof PRIORITIES)[number];
  readonly key: string | null;
  /** -1: it has none. */
  readonly stream: number;
  readonly deed: DeedName | undefined;
}

const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const;
const KEYS = 16;
/** A subject's streams: one for each key and priority, and one for each priority of what has no key. */
const STREAMS_PER_SUBJECT = (KEYS + 1) * PRIORITIES.length;
const BURST = 200;
/** A queue is ready below half of its size, or while it has not reached 80 % of it. */
const QUEUE_SIZES = [1000, 2500, 5000];

export function planOf(random: Random, { deliveries, light, heavy }: Amounts): Plan {
  const subjects = subjectsOf(random);
  const heavyShare = heavy / deliveries;
  const lightShare = light / deliveries;
  return {
    bus: {
      threads: random.whole(1, 3),
      spareThreads: random.whole(0, 2),
      ringBytes: 2 ** random.whole(16, 20),
      resourceLimits: { maxOldGenerationSizeMb: 24 },
      retry: RETRY,
      // Enough for all, or so little that retries wait for their turn now and then.
      retryBudget: random.pick([false, { perDelivery: 0.05, perSecond: 2000 }]),
    },
    subjects,
    streams: subjects.length * STREAMS_PER_SUBJECT,
    burst: BURST,
    messages: Array.from({ length: deliveries }, () => {
      const subject = random.pick(subjects);
      const priority = random.pick(PRIORITIES);
      const key = random.next() < 0.3 ? random.whole(0, KEYS - 1) : null;
      const luck = random.next();
      const heavyDeeds = HEAVY_DEEDS.filter((name) => takesTime(name) === subject.isQuick);
      const isLight = luck < heavyShare + lightShare;
      const deed = luck < heavyShare ? random.pick(heavyDeeds) : isLight ? random.pick(LIGHT_DEEDS) : undefined;
      const stream = streamOf(subjects.indexOf(subject), subject, PRIORITIES.indexOf(priority), key);
      return { subject, priority, key: key === null ? null : `key-${key}`, stream, deed };
    }),
  };
}

function takesTime(deed: DeedName): boolean {
  return deedOf(deed).category === 'timeout_error';
}

/** With 'none' nothing is in order; without a key, only what one lane handles one at a time. */
function streamOf(index: number, { options }: Subject, priority: number, key: number | null): number {
  const { ordering, lanes, concurrency } = options;
  const isOrdered = ordering !== 'none' && (key !== null || (lanes === 1 && concurrency === 1));
  const group = ordering === 'strict' || key === null ? KEYS : key;
  return isOrdered ? index * STREAMS_PER_SUBJECT + group * PRIORITIES.length + priority : -1;
}

function subjectsOf(random: Random): Subject[] {
  const shapes = [
    { ordering: 'key', lanes: 1, concurrency: 1 },
    { ordering: 'key', lanes: 2, concurrency: 1 },
    { ordering: 'key', lanes: 1, concurrency: 4 },
    { ordering: 'none', lanes: random.whole(1, 3), concurrency: random.whole(1, 8) },
    { ordering: 'strict', lanes: 1, concurrency: 1 },
    { ordering: 'key', lanes: 1, concurrency: random.pick([1, 4]), isQuick: true },
  ] as const;
  return shapes.map(({ ordering, lanes, concurrency, ...shape }, index) => {
    const isQuick = 'isQuick' in shape;
    const options: SubscribeOptions = {
      subscriberId: `subject-${index}`,
      ordering,
      lanes,
      concurrency,
      timeoutMs: isQuick ? 200 : 10_000,
      graceMs: GRACE_MS,
      adaptiveTimeout: false,
      maxQueueSize: random.pick(QUEUE_SIZES),
      // Two hold their messages back whenever a few fail in a row, and send probes; the others never.
      breaker: index === 0 || index === 2 ? { failureThreshold: 3, recoveryTimeoutMs: 5 } : false,
    };
    return { topic: `chaos.${index}`, isQuick, isConcurrent: concurrency > 1, options };
  });
}
