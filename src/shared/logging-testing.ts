// What the logging worker is told when its bus is under test.

export interface LoggingTesting {
  /** Memory of the bus's clock; null: it is the system's. */
  readonly time: SharedArrayBuffer | null;
  readonly disk: SharedArrayBuffer;
}
