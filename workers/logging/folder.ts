// The log folder: made, checked, and owned by one process at a time.
import fs, {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import lockfile from 'proper-lockfile';
import { systemClock } from '../../src/shared/clock.js';
import type { OpenResult } from '../../src/shared/logging-task.js';
import { FILE_MODE, moveAside } from './repair.js';

const FOLDER_MODE = 0o700;
/** proper-lockfile refreshes the lock this often at least, so that an older one belongs to nobody. */
const STALE_MS = 10_000;
/** Between two looks at a lock whose owner is not known, or that another process is about to take over. */
const LOOK_AGAIN_MS = 100;

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
  /** Things that were in the way when it was opened, and were set aside. */
  setAside = 0;

  /** @param isReplacement a dead thread of this process may have left its lock */
  constructor(path: string, isReplacement: boolean, onCompromised: (error: Error) => void) {
    this.path = path;
    this.#isReplacement = isReplacement;
    this.#onCompromised = onCompromised;
  }

  async open(subfolder: string): Promise<OpenResult> {
    try {
      makeFolder(this.path);
      if (subfolder !== this.path) this.#clear(subfolder, 'isDirectory');
      this.make(subfolder);
      for (const folder of [this.path, subfolder]) accessSync(folder, constants.W_OK | constants.X_OK);
      this.#clear(this.#lockFolder, 'isDirectory');
      this.#clear(this.#ownerFile, 'isFile');
    } catch (error) {
      return {
        ok: false,
        code: 'BUSBAR_LOG_FOLDER',
        message: `log folder ${this.path} cannot be used: ${(error as Error).message}`,
      };
    }
    return this.#lock(systemClock.elapsed() + STALE_MS + 1000);
  }

  /** Makes the folders that are missing. Throws what the disk throws. */
  make(subfolder: string): void {
    for (const folder of [this.path, subfolder]) makeFolder(folder);
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

  get #lockFolder(): string {
    return join(this.path, '.lock');
  }

  /** @param until how long to wait for a lock whose owner cannot be told: if it is dead, the lock becomes stale */
  async #lock(until: number): Promise<OpenResult> {
    try {
      this.#release = await lockfile.lock(this.path, {
        lockfilePath: this.#lockFolder,
        stale: STALE_MS,
        onCompromised: this.#onCompromised,
        fs: { ...fs, mkdir: (path: string, done: fs.NoParamCallback) => fs.mkdir(path, FOLDER_MODE, done) },
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ELOCKED') {
        const message = `log folder ${this.path} cannot be locked: ${(error as Error).message}`;
        return { ok: false, code: 'BUSBAR_LOG_FOLDER', message };
      }
      const owner = this.#readOwner();
      if (owner !== undefined && !this.#isGone(owner)) {
        const message = `log folder ${this.path} is in use by process ${owner.pid}`;
        return { ok: false, code: 'BUSBAR_FOLDER_LOCKED', message };
      }
      if (systemClock.elapsed() > until) {
        const message = `log folder ${this.path} is in use by another process`;
        return { ok: false, code: 'BUSBAR_FOLDER_LOCKED', message };
      }
      if (owner === undefined || !this.#breakLock()) {
        await new Promise<void>((resume) => systemClock.after(LOOK_AGAIN_MS, resume, true));
      }
      return this.#lock(until);
    }
    const owner: Owner = { pid: process.pid, started: startOf(process.pid) ?? '' };
    try {
      writeFileSync(this.#ownerFile, JSON.stringify(owner), { mode: FILE_MODE });
      return { ok: true };
    } catch (error) {
      await this.close();
      const message = `log folder ${this.path} cannot be written: ${(error as Error).message}`;
      return { ok: false, code: 'BUSBAR_LOG_FOLDER', message };
    }
  }

  /**
   * Removes the lock of a dead process. One at a time, and looking once more: or of two that come at once, the slower one
   * would remove the lock of the faster. False: another process is at it.
   */
  #breakLock(): boolean {
    const guard = join(this.path, '.takeover');
    try {
      mkdirSync(guard, { mode: FOLDER_MODE });
    } catch {
      const since = statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      if (systemClock.now() - since > STALE_MS) rmSync(guard, { recursive: true, force: true });
      return false;
    }
    try {
      if (this.#isGone(this.#readOwner())) {
        rmSync(this.#lockFolder, { recursive: true, force: true });
        rmSync(this.#ownerFile, { force: true });
      }
      return true;
    } finally {
      rmdirSync(guard);
    }
  }

  /** Sets aside what is not what it has to be. */
  #clear(path: string, kind: 'isFile' | 'isDirectory'): void {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there !== undefined && !there[kind]() && moveAside(path)) this.setAside++;
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
