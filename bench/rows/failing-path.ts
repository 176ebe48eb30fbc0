// What failures cost: attempts that fail, deliveries that are given up, threads that end.
import { openSubscribed } from '../contenders/busbar.js';
import { bareComeback, medianComeback, piscinaComeback } from '../failing/comeback.js';
import { bareErrors, failing } from '../failing/storm.js';
import throws from '../failing/throws.js';
import { BYTES_64 } from '../load/payloads.js';
import type { Row, Run } from '../run/row.js';

/** Deliveries that are given up in one measurement: fewer than may wait. */
const LETTERS = 5000;
const QUICK_LETTERS = 1000;
const KILLS = 10;
const QUICK_KILLS = 4;

export const failingPath: readonly Row[] = [
  {
    name: 'attempts that fail, with retries',
    payload: BYTES_64.label,
    inflight: 0,
    unit: 'attempts/s',
    better: 'higher',
    rounds: 1,
    isCold: true,
    contenders: {
      busbar: async ({ isQuick }) => ({
        measure: async () => figureNamed(await failing(isQuick ? 1 : 5), 'failed attempts'),
        close: async () => undefined,
      }),
      'a bare loop of new Error': async () => ({
        measure: async () => figureNamed(bareErrors(), 'bare loop of new Error, with its stack'),
        close: async () => undefined,
      }),
    },
  },
  {
    name: 'given up, with a letter on the disk',
    payload: BYTES_64.label,
    inflight: 0,
    unit: 'letters/s',
    better: 'higher',
    contenders: { busbar: openFailing },
  },
  {
    name: 'from the end of a thread to the next handler',
    payload: '',
    inflight: 0,
    unit: 'ms',
    better: 'lower',
    parts: ['a spare thread', 'no spare thread'],
    rounds: 1,
    isCold: true,
    contenders: {
      busbar: async (run) => ({
        measure: async () => [await medianComeback(kills(run), 1), await medianComeback(kills(run), 0)],
        close: async () => undefined,
      }),
      'piscina alone, the same handler': async (run) => ({
        measure: async () => {
          const figure = await piscinaComeback(kills(run));
          return [figure, figure];
        },
        close: async () => undefined,
      }),
      'a bare empty worker': async (run) => ({
        measure: async () => {
          const figure = await bareComeback(kills(run));
          return [figure, figure];
        },
        close: async () => undefined,
      }),
    },
    goals: [
      { part: 'a spare thread', name: 'from the end of a thread to the next handler, a spare thread', atMost: 10 },
      { part: 'no spare thread', name: 'from the end of a thread to the next handler, no spare thread', atMost: 50 },
    ],
  },
];

function kills({ isQuick }: Run): number {
  return isQuick ? QUICK_KILLS : KILLS;
}

/** @throws when there is no such figure */
function figureNamed(figures: readonly { readonly name: string; readonly value: number }[], name: string): number {
  const found = figures.find((figure) => figure.name === name);
  if (found === undefined) throw new Error(`no figure is called ${name}`);
  return found.value;
}

async function openFailing({ isQuick }: Run): ReturnType<Row['contenders']['busbar']> {
  const { bus, close } = await openSubscribed(
    throws,
    { retry: { message_processing_error: { maxRetries: 0, backoffMs: 0 } } },
    { breaker: false },
  );
  const letters = isQuick ? QUICK_LETTERS : LETTERS;
  let published = 0;
  const measure = async (): Promise<number> => {
    const began = performance.now();
    for (let count = 0; count < letters; count++) bus.publish('bench', BYTES_64.payload);
    published += letters;
    await bus.idle();
    return (letters / (performance.now() - began)) * 1000;
  };
  const closeFailing = async (): Promise<void> => {
    const deadLettered = bus.getHealthStatus().subscriptions[0]?.deadLettered;
    await close({ allSucceed: false });
    if (deadLettered !== published) throw new Error(`${published} were published, and ${deadLettered} dead-lettered`);
  };
  return { measure, close: closeFailing };
}
