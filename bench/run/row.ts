// What a line of the benchmark is: the same work, done by busbar and by its peers.

/** The rows of each file in bench/rows. */
export type Files = readonly (readonly Row[])[];

/** One line of the table. A file in bench/rows makes some, and bench/rows.ts lists them. */
export interface Row {
  /** With `payload` and `inflight` it names the line. */
  readonly name: string;
  /** For example `64 B`; empty where it does not matter. */
  readonly payload: string;
  /** Messages under way at most; 0 where it does not matter. */
  readonly inflight: number;
  readonly unit: string;
  /** When one measurement brings several figures, their names in order: each is a line of its own. */
  readonly parts?: readonly string[];
  readonly better: 'higher' | 'lower';
  /** `busbar` is one of them, the others are its peers. All are open while the row runs, and take turns. */
  readonly contenders: Readonly<Record<'busbar', Open>> & Readonly<Record<string, Open>>;
  /** What is asked of busbar's figure, each a line among the budgets. */
  readonly goals?: readonly Goal[];
  /** Most rounds; for what takes long and varies little. Default: as many as the run has. */
  readonly rounds?: number;
  /** A measurement starts afresh each time: no warm-up. */
  readonly isCold?: boolean;
  /** Left out of a quick run: other rows tell nearly as much. */
  readonly isDetail?: boolean;
}

/** Makes a contender ready: its threads are started, and its code is loaded. */
export type Open = (run: Run) => Promise<Contender>;

/** What a row is told about the run. */
export interface Run {
  /** How long one measurement should take, in milliseconds. */
  readonly sliceMs: number;
  /** How long a contender is measured before it counts, in milliseconds; at least once. */
  readonly warmUpMs: number;
  readonly isQuick: boolean;
}

export interface Contender {
  /**
   * One measurement, in the row's unit; one figure for each of the row's parts. The first ones of each contender are a
   * warm-up and do not count.
   */
  measure(): Promise<number | readonly number[]>;
  /**
   * Ends its threads.
   *
   * @throws when it lost a message, or its accounts do not agree: the run has failed
   */
  close(): Promise<void>;
}

/** What is asked of busbar's median: to be so many times as good as a peer's, or below a limit. */
export type Goal = { /** Of one of the row's parts. */ readonly part?: string } & (
  | { readonly timesAsGoodAs: string; readonly atLeast: number }
  | {
      readonly name: string /** What busbar takes beyond this peer is limited. */;
      readonly beyond?: string;
      readonly atMost: number;
    }
);
