// The lock on a log folder: one process owns it, and that of a dead process is taken over.
import fs, { mkdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import lockfile from 'proper-lockfile';
import { systemClock } from '../../src/shared/clock.js';
import type { OpenResult } from '../../src/shared/logging-task.js';
import { fateOf, readOwner, thisProcess } from './lock-owner.js';
import { FILE_MODE, FOLDER_MODE } from './repair.js';

/** The owner refreshes its lock at least this often, so that one that stays as it is for longer belongs to nobody. */
const STALE_MS = 10_000;
/** How long to watch a lock whose owner cannot be seen. */
const WATCH_MS = STALE_MS + 1000;
/** How long to wait for an owner that holds the folder for a moment only. */
const BRIEF_MS = 5000;
const LOOK_AGAIN_MS = 100;

/** A path that was looked at, as it was, and when that was seen first. Of time that passes only: wall clocks may be set. */
interface Watched {
  readonly mtimeMs: number;
  readonly since: number;
}

export interface LockOptions {
  /** A dead thread of this process may have left its lock. */
  readonly isReplacement: boolean;
  /** It is held for a moment only. */
  readonly isBrief: boolean;
  /** How long to watch a lock whose owner cannot be seen. */
  readonly watchMs?: number;
}

/** Belongs to the logging worker. Used once. */
export class FolderLock {
  readonly #folder: string;
  readonly #options: LockOptions;
  readonly #watchMs: number;
  readonly #onCompromised: (error: Error) => void;
  readonly #watched = new Map<string, Watched>();
  #release: (() => Promise<void>) | undefined;

  constructor(folder: string, options: LockOptions, onCompromised: (error: Error) => void) {
    this.#folder = folder;
    this.#options = options;
    this.#watchMs = options.watchMs ?? WATCH_MS;
    this.#onCompromised = onCompromised;
  }

  get ownerFile(): string {
    return join(this.#folder, '.owner.json');
  }

  get lockFolder(): string {
    return join(this.#folder, '.lock');
  }

  /** Waits as long as it may turn out that the lock is free. */
  async take(): Promise<OpenResult> {
    const begun = systemClock.elapsed();
    for (;;) {
      const taken = await this.#tryToTake();
      if (taken !== undefined) return taken;
      if (this.#breakIfDead()) continue;
      const held = this.#heldFor(systemClock.elapsed() - begun);
      if (held !== undefined) return { ok: false, code: 'BUSBAR_FOLDER_LOCKED', message: held };
      await new Promise<void>((again) => systemClock.after(LOOK_AGAIN_MS, again, true));
    }
  }

  async giveBack(): Promise<void> {
    const release = this.#release;
    this.#release = undefined;
    if (release === undefined) return;
    rmSync(this.ownerFile, { force: true });
    try {
      await release();
    } catch {
      // Compromised or removed under us: there is nothing left to release.
    }
  }

  /** Undefined: somebody has it, or had it a moment ago. */
  async #tryToTake(): Promise<OpenResult | undefined> {
    // Looked at here first: proper-lockfile goes by the wall clock, and would take a live one's lock when that jumps.
    if (this.#isThere(this.lockFolder)) return undefined;
    try {
      this.#release = await lockfile.lock(this.#folder, {
        lockfilePath: this.lockFolder,
        stale: STALE_MS,
        onCompromised: this.#onCompromised,
        fs: { ...fs, mkdir: (path: string, done: fs.NoParamCallback) => fs.mkdir(path, FOLDER_MODE, done) },
      });
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ELOCKED') return undefined;
      const message = `log folder ${this.#folder} cannot be locked: ${(error as Error).message}`;
      return { ok: false, code: 'BUSBAR_LOG_FOLDER', message };
    }
    try {
      writeFileSync(this.ownerFile, JSON.stringify(thisProcess(this.#options.isBrief)), { mode: FILE_MODE });
      return { ok: true };
    } catch (error) {
      await this.giveBack();
      const message = `log folder ${this.#folder} cannot be written: ${(error as Error).message}`;
      return { ok: false, code: 'BUSBAR_LOG_FOLDER', message };
    }
  }

  /** Why the lock cannot be had; undefined: it may be free soon. */
  #heldFor(waitedMs: number): string | undefined {
    const watch = this.#watch(this.lockFolder);
    if (watch === undefined) return undefined;
    const owner = readOwner(this.ownerFile);
    // Without an owner somebody is just taking it, or giving it back.
    if ((owner === undefined || owner.brief) && waitedMs < BRIEF_MS) return undefined;
    const isHere = owner !== undefined && fateOf(owner, this.#options.isReplacement) === 'alive';
    const isRefreshed = watch.hasChanged || (isHere && !watch.looksStale);
    if (!isRefreshed) return undefined;
    const name = owner === undefined ? 'another process' : `process ${owner.pid}`;
    const where = owner === undefined || isHere ? '' : ` of another container or machine, ${owner.host || 'unnamed'}`;
    return `log folder ${this.#folder} is in use by ${name}${where}`;
  }

  get #isDead(): boolean {
    const owner = readOwner(this.ownerFile);
    if (owner !== undefined && fateOf(owner, this.#options.isReplacement) === 'gone') return true;
    return (this.#watch(this.lockFolder)?.unchangedMs ?? 0) > this.#watchMs;
  }

  /**
   * Removes the lock of a dead process. One at a time, and looking once more: or of two that come at once, the slower one
   * would remove the lock of the faster. True: it is gone.
   */
  #breakIfDead(): boolean {
    if (!this.#isDead) return false;
    const guard = join(this.#folder, '.takeover');
    try {
      mkdirSync(guard, { mode: FOLDER_MODE });
    } catch {
      // Another process is at it, or died at it.
      if ((this.#watch(guard)?.unchangedMs ?? 0) > this.#watchMs) rmSync(guard, { recursive: true, force: true });
      return false;
    }
    try {
      if (!this.#isDead) return false;
      // In this order: whoever takes the lock next must not be taken for the dead one.
      rmSync(this.ownerFile, { force: true });
      rmSync(this.lockFolder, { recursive: true, force: true });
      this.#watched.clear();
      return true;
    } finally {
      rmdirSync(guard);
    }
  }

  #isThere(path: string): boolean {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  }

  /** How a path stands to what it was when it was first looked at; undefined: it is not there. */
  #watch(path: string): { unchangedMs: number; hasChanged: boolean; looksStale: boolean } | undefined {
    const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (mtimeMs === undefined) {
      this.#watched.delete(path);
      return undefined;
    }
    const looksStale = systemClock.now() - mtimeMs > STALE_MS;
    const seen = this.#watched.get(path);
    const now = systemClock.elapsed();
    if (seen === undefined) this.#watched.set(path, { mtimeMs, since: now });
    const hasChanged = seen !== undefined && seen.mtimeMs !== mtimeMs;
    return { unchangedMs: hasChanged || seen === undefined ? 0 : now - seen.since, hasChanged, looksStale };
  }
}
