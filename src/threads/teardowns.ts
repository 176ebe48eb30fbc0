// The main half of teardowns: knows which threads have set a handler up, and waits until they have taken it down.
import { BroadcastChannel } from 'node:worker_threads';
import { nanoid } from 'nanoid';
import { systemClock } from '../shared/clock.js';
import { BusbarError } from '../shared/errors.js';
import { type HandlerSource, handlerKey, type LoadFailure, type TeardownLink } from '../shared/lane-task.js';
import type { RedactOptions } from '../shared/redact.js';
import type { TeardownMessage } from '../shared/teardown.js';

/** Belongs to one bus. Runs on the main thread. */
export class Teardowns {
  readonly link: TeardownLink = { channel: `busbar-teardown-${nanoid(10)}`, setUps: new SharedArrayBuffer(4) };
  readonly #channel = new BroadcastChannel(this.link.channel);
  readonly #setUps = new Int32Array(this.link.setUps);
  /** Threads on which a handler with a teardown stands, by its key. */
  readonly #standing = new Map<string, Set<number>>();
  #heard = 0;
  /** What was thrown, by the same. */
  readonly #failures = new Map<string, LoadFailure[]>();
  readonly #onChange = new Set<() => void>();

  constructor() {
    this.#channel.unref();
    this.#channel.onmessage = ({ data }) => this.#hear(data as TeardownMessage);
  }

  /**
   * Has all threads take a handler down that have set it up, and waits for them, for `graceMs` at the most.
   *
   * @param alive the ids of the threads that live: one that was ended takes nothing down
   * @param warmed resolves once no thread loads it early any more: it would be set up late, though nobody needs it
   * @returns what teardowns threw, and one error more if some have not settled
   */
  async run(
    source: HandlerSource,
    graceMs: number,
    redact: RedactOptions,
    alive: () => readonly number[],
    warmed: Promise<unknown>,
  ): Promise<BusbarError[]> {
    let isOver = false;
    const timer = systemClock.after(graceMs, () => {
      isOver = true;
      this.#tellChange();
    });
    // A thread that loads it early sets it up once more; but that may take longer than the grace.
    let isDue = false;
    const due = systemClock.after(graceMs / 2, () => {
      isDue = true;
      this.#tellChange();
    });
    let isWarm = false;
    void warmed.then(() => {
      isWarm = true;
      this.#tellChange();
    });
    const key = handlerKey(source);
    const isAllHeard = (): boolean => isWarm && this.#heard === Atomics.load(this.#setUps, 0);
    const left = (): number => alive().filter((id) => this.#standing.get(key)?.has(id)).length;
    // Again and again: one may be set up meanwhile. Those on which it stands no longer take no notice.
    while (!(isAllHeard() && left() === 0) && !isOver) {
      if (isWarm || isDue) this.#tell({ kind: 'tear-down', key, redact });
      await this.#change();
    }
    timer.cancel();
    due.cancel();
    const unsettled = left();
    this.#standing.delete(key);
    const failures = this.#failures.get(key) ?? [];
    this.#failures.delete(key);
    const errors = failures.map(({ error }) => failed(source.url, `threw: ${error.message}`, error));
    const late = `has not settled within ${graceMs} ms on ${unsettled} thread(s)`;
    return unsettled === 0 ? errors : [...errors, failed(source.url, late)];
  }

  close(): void {
    this.#channel.close();
  }

  #hear(message: TeardownMessage): void {
    if (message.kind === 'tear-down') return;
    const { kind, key, thread } = message;
    if (kind === 'set-up') {
      this.#heard++;
      this.#standing.set(key, (this.#standing.get(key) ?? new Set()).add(thread));
    } else {
      this.#standing.get(key)?.delete(thread);
      if (message.failure !== null) this.#failures.set(key, [...(this.#failures.get(key) ?? []), message.failure]);
    }
    this.#tellChange();
  }

  #tell(message: TeardownMessage): void {
    this.#channel.postMessage(message);
  }

  #change(): Promise<void> {
    return new Promise((resume) => this.#onChange.add(resume));
  }

  #tellChange(): void {
    const waiting = [...this.#onChange];
    this.#onChange.clear();
    for (const resume of waiting) resume();
  }
}

function failed(url: string, what: string, cause?: unknown): BusbarError {
  return new BusbarError('BUSBAR_HANDLER_TEARDOWN', `teardown of ${url} ${what}`, { cause });
}
