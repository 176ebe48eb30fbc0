// What the buffer of published messages takes.
import type { OnStored } from './transport.js';

/** A message that is to be stored. */
export interface Outgoing {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly header: readonly [name: string, value: string][];
  /** Null: no order is promised. */
  readonly key: string | null;
  /** Always taken: its input is not settled before it is stored, and no more inputs are taken while there are many of these. */
  readonly isFromHandler: boolean;
  /** Undefined: nobody waits for it. What will never be stored is kept then. */
  readonly onStored: OnStored | undefined;
}
