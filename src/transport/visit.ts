// A look through a stream from which messages may be removed meanwhile: the last of them may never come.
import { systemClock } from '../shared/clock.js';

/** What a consumer brings, in order. */
interface Messages<M> extends AsyncIterable<M> {
  stop(): void;
  close(): Promise<unknown>;
}

const LOOK_MS = 250;

/**
 * Visits each message until nothing is left.
 *
 * @param left how many are still to be sent, as the server says
 */
export async function visitAll<M extends { readonly info: { readonly pending: number } }>(
  messages: Messages<M>,
  left: () => Promise<number>,
  visit: (message: M) => void,
): Promise<void> {
  let count = 0;
  let before = -1;
  const look = async (): Promise<void> => {
    const now = count;
    const isQuiet = now === before;
    before = now;
    if (isQuiet && (await left()) === 0 && count === now) messages.stop();
  };
  // An answer that does not come is asked for again; what ails the connection, whoever looks hears from it.
  const looks = systemClock.every(LOOK_MS, () => void look().catch(() => undefined));
  try {
    for await (const message of messages) {
      count++;
      visit(message);
      if (message.info.pending === 0) break;
    }
  } finally {
    looks.cancel();
    await messages.close();
  }
}
