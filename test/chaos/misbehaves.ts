// The handler of chaos: does what each message says, and keeps the ledger.
import { deadLetter, defineHandler, discard, retryLater } from '../../src/shared/handler.js';
import { type DeedName, GRACE_MS } from './deeds.js';
import { Ledger } from './ledger.js';

export interface Order {
  readonly n: number;
  /** Of messages that must begin in order; -1: none. */
  readonly stream: number;
  /** Absent: it is innocent. */
  readonly deed?: DeedName;
}

let ledger: Ledger | undefined;

export default defineHandler<Order>(import.meta.url, ({ n, stream, deed }, { deadline }) => {
  ledger ??= Ledger.find();
  ledger.start(n, stream, deadline + GRACE_MS);
  if (deed === undefined) {
    ledger.done(n);
    ledger.end(n);
    return;
  }
  const book = ledger;
  return misbehave(deed, book, n).finally(() => book.end(n));
});

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

async function misbehave(deed: DeedName, book: Ledger, n: number): Promise<void> {
  const before = book.misbehave(n);
  if (deed === 'loop' || deed === 'never settle' || deed === 'exit' || deed === 'hoard') await endThread(deed);
  if (before === 0) await failOnce(deed);
  if (deed === 'later' && before < 2) throw retryLater(3);
  if (deed === 'wait') await pause(5);
  await fail(deed);
  book.done(n);
}

async function fail(deed: DeedName): Promise<void> {
  switch (deed) {
    case 'throw':
      throw new TypeError('thrown on purpose');
    case 'reject':
      await pause(1);
      throw new Error('rejected');
    case 'throw a string':
      throw 'just text';
    case 'throw nothing':
      throw undefined;
    case 'throw from a timer':
      // One timer begins the other: of two that are due, that of the longer delay may come first.
      await new Promise<void>((goOn) => {
        setTimeout(() => {
          setTimeout(goOn, 4);
          throw new RangeError('thrown from a timer');
        }, 1);
      });
      throw new Error('not the first to fail');
    case 'float a rejection':
      void Promise.reject(new Error('floated'));
      await pause(60_000);
      return;
    case 'throw after the end':
      setTimeout(() => {
        throw new RangeError('thrown after the end');
      }, 5);
      return;
    case 'refuse the connection':
      throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    case 'deny':
      throw Object.assign(new Error('denied'), { status: 401 });
    case 'discard':
      throw discard('not worth it');
    case 'give up':
      throw deadLetter('hopeless');
    default:
  }
}

async function failOnce(deed: DeedName): Promise<void> {
  if (deed === 'throw once') throw new Error('only the first time');
  if (deed === 'exit once') process.exit(7);
  if (deed === 'loop once') for (;;);
}

async function endThread(deed: 'loop' | 'never settle' | 'exit' | 'hoard'): Promise<void> {
  const hoard: number[][] = [];
  switch (deed) {
    case 'loop':
      for (;;);
    case 'never settle':
      return new Promise(() => undefined);
    case 'exit':
      return process.exit(7);
    default:
      for (;;) hoard.push(new Array<number>(100_000).fill(0.5));
  }
}
