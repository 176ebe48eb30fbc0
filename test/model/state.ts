// A state of a model: its memories, how far each thread has come, and the steps that led there.
import type { Done } from './replay.js';

export type Status = 'ready' | 'waiting' | 'woken' | 'done' | 'dead' | 'not born';

export interface ThreadState {
  readonly status: Status;
  readonly carried: number;
  /** What it has done in this round. */
  readonly log: readonly Done[];
  /** Stands for the log: equal numbers, equal logs. */
  readonly logNumber: number;
  /** Where it waits. */
  readonly waitsAt: number;
  /** It has written plainly what others do not see yet. */
  readonly keeps: boolean;
  /** What it has written since its last operation, others see. */
  readonly hasGivenOut: boolean;
}

export interface State {
  readonly memory: Int32Array;
  readonly memoryNumber: number;
  readonly threads: readonly ThreadState[];
  readonly story: Story | null;
}

/** The steps that led to a state, the last one first. */
export interface Story {
  readonly step: string;
  readonly before: Story | null;
}

export const GONE = { carried: 0, log: [], logNumber: 0, waitsAt: -1, keeps: false, hasGivenOut: false } as const;

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

export function keyOf({ memoryNumber, threads }: State): string {
  const shown = threads.map(
    ({ status, carried, logNumber, hasGivenOut }) => `${status} ${carried} ${logNumber} ${hasGivenOut}`,
  );
  return `${memoryNumber} ${shown.join(' ')}`;
}

export function storyOf(story: Story | null): string[] {
  const steps: string[] = [];
  for (let at = story; at !== null; at = at.before) steps.push(at.step);
  return steps.reverse();
}
