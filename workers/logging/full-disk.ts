// Makes the disk of this thread full when a test says so. Every module of Node's file system that is imported here obeys.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DiskFaults } from '../../src/shared/disk-faults.js';

/** Call before anything is written. Reads, renames and deletions go on working, as they do on a full disk. */
export function obeyDiskFaults(memory: SharedArrayBuffer): void {
  const faults = new DiskFaults(memory);
  const guarded = <T extends (...args: never[]) => unknown>(name: string, write: T): T =>
    ((...args: never[]) => {
      if (faults.refuses()) throw noSpace(name);
      return write(...args);
    }) as T;
  fs.writeSync = guarded('write', fs.writeSync);
  fs.writeFileSync = guarded('write', fs.writeFileSync);
  fs.appendFileSync = guarded('write', fs.appendFileSync);
  syncBuiltinESMExports();
}

/** As Node raises it. */
function noSpace(syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`ENOSPC: no space left on device, ${syscall}`), {
    code: 'ENOSPC',
    errno: -28,
    syscall,
  });
}
