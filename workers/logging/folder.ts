// The log folder: made, checked, and owned by one process at a time.
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import lockfile from 'proper-lockfile';
import type { OpenResult } from '../../src/shared/logging-task.js';

const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;
/** proper-lockfile refreshes the lock this often at least, so that an older one belongs to nobody. */
const STALE_MS = 10_000;

interface Owner {
  readonly pid: number;
  /** When its process started, in the system's own unit; tells a reused pid. */
  readonly started: string;
}

/** Owns one folder from `open` to `close`. */
export class Folder {
  readonly path: string;
  readonly #isReplacement: boolean;
  readonly #onCompromised: (error: Error) => void;
  #release: (() => Promise<void>) | undefined;

  /** @param isReplacement a dead thread of this process may have left its lock */
  constructor(path: string, isReplacement: boolean, onCompromised: (error: Error) => void) {
    this.path = path;
    this.#isReplacement = isReplacement;
    this.#onCompromised = onCompromised;
  }

  async open(subfolder: string): Promise<OpenResult> {
    try {
      for (const folder of [this.path, subfolder]) {
        makeFolder(folder);
        accessSync(folder, constants.W_OK | constants.X_OK);
      }
    } catch (error) {
      return {
        ok: false,
        code: 'BUSBAR_LOG_FOLDER',
        message: `log folder ${this.path} cannot be used: ${(error as Error).message}`,
      };
    }
    return this.#lock(true);
  }

  async close(): Promise<void> {
    const release = this.#release;
    this.#release = undefined;
    if (release === undefined) return;
    rmSync(this.#ownerFile, { force: true });
    try {
      await release();
    } catch {
      // Compromised or removed under us: there is nothing left to release.
    }
  }

  get #ownerFile(): string {
    return join(this.path, '.owner.json');
  }

  async #lock(mayTakeOver: boolean): Promise<OpenResult> {
    try {
      this.#release = await lockfile.lock(this.path, {
        lockfilePath: join(this.path, '.lock'),
        stale: STALE_MS,
        onCompromised: this.#onCompromised,
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ELOCKED') {
        const message = `log folder ${this.path} cannot be locked: ${(error as Error).message}`;
        return { ok: false, code: 'BUSBAR_LOG_FOLDER', message };
      }
      const owner = this.#readOwner();
      if (!mayTakeOver || !this.#isGone(owner)) {
        const who = owner === undefined ? 'another process' : `process ${owner.pid}`;
        return { ok: false, code: 'BUSBAR_FOLDER_LOCKED', message: `log folder ${this.path} is in use by ${who}` };
      }
      rmSync(join(this.path, '.lock'), { recursive: true, force: true });
      return this.#lock(false);
    }
    const owner: Owner = { pid: process.pid, started: startOf(process.pid) ?? '' };
    writeFileSync(this.#ownerFile, JSON.stringify(owner), { mode: FILE_MODE });
    return { ok: true };
  }

  #readOwner(): Owner | undefined {
    try {
      const owner = JSON.parse(readFileSync(this.#ownerFile, 'utf8')) as Partial<Owner> | null;
      return typeof owner?.pid === 'number' ? { pid: owner.pid, started: String(owner.started) } : undefined;
    } catch {
      return undefined;
    }
  }

  /** A lock outlives the process that was killed with it; this one's owner is surely gone. */
  #isGone(owner: Owner | undefined): boolean {
    if (owner === undefined) return false;
    if (owner.pid === process.pid) return this.#isReplacement || owner.started !== startOf(process.pid);
    try {
      process.kill(owner.pid, 0);
    } catch (error) {
      return (error as { code?: unknown }).code === 'ESRCH';
    }
    const started = startOf(owner.pid);
    return started !== undefined && started !== owner.started;
  }
}

/** Node's own `recursive` never returns where a file system answers ENOENT to every attempt, as /proc does. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: FOLDER_MODE });
}

/** Field 22 of /proc/<pid>/stat: start time in clock ticks since boot. Undefined where there is no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
