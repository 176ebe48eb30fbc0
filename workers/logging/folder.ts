// The log folder: made, checked, private, and owned by one process at a time.
import { accessSync, chmodSync, constants, existsSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { OpenResult } from '../../src/shared/logging-task.js';
import type { FolderLock } from './folder-lock.js';
import { FILE_MODE, FOLDER_MODE, moveAside } from './repair.js';

/** Names of what busbar puts into its folders. */
const OURS = /^(message_bus_errors.*\.json|error_metrics\.json|dlq_\d.*\.json)(\..*)?$|^\.owner\.json(\..*)?$/;
const OUR_FOLDERS = /^(dead_letter|\.lock|\.takeover)$/;
const OUR_SOCKET = 'control.sock';

/** Owns one folder from `open` to `close`. */
export class Folder {
  readonly path: string;
  readonly #lock: FolderLock;
  /** Things that were in the way when it was opened, and were set aside. */
  setAside = 0;
  /** What others may read or change, and could not be kept from: paths, each with the reason. */
  readonly notPrivate: string[] = [];

  constructor(path: string, lock: FolderLock) {
    this.path = path;
    this.#lock = lock;
  }

  async open(subfolder: string): Promise<OpenResult> {
    try {
      makeFolder(this.path);
      if (subfolder !== this.path) this.#clear(subfolder, 'isDirectory');
      this.make(subfolder);
      for (const folder of [this.path, subfolder]) accessSync(folder, constants.W_OK | constants.X_OK);
      this.#clear(this.#lock.lockFolder, 'isDirectory');
      this.#clear(this.#lock.ownerFile, 'isFile');
    } catch (error) {
      return {
        ok: false,
        code: 'BUSBAR_LOG_FOLDER',
        message: `log folder ${this.path} cannot be used: ${(error as Error).message}`,
      };
    }
    return this.#lock.take();
  }

  /** Makes the folders that are missing. Throws what the disk throws. */
  make(subfolder: string): void {
    for (const folder of [this.path, subfolder]) makeFolder(folder);
  }

  close(): Promise<void> {
    return this.#lock.giveBack();
  }

  /**
   * An earlier version, a copy or a backup may have left our files open to others. A folder that holds more stays as it is.
   * Throws what the disk throws.
   */
  makePrivate(subfolder: string): void {
    if (process.platform === 'win32') return;
    for (const folder of new Set([this.path, subfolder])) this.#makePrivate(folder);
  }

  #makePrivate(folder: string): void {
    const entries = readdirSync(folder, { withFileTypes: true });
    const isOurs = (name: string): boolean => OURS.test(name) || OUR_FOLDERS.test(name) || name === OUR_SOCKET;
    for (const entry of entries) {
      if (entry.isFile() && OURS.test(entry.name)) this.#setMode(join(folder, entry.name), FILE_MODE);
    }
    if (entries.every(({ name }) => isOurs(name))) this.#setMode(folder, FOLDER_MODE);
  }

  #setMode(path: string, mode: number): void {
    try {
      if ((lstatSync(path).mode & 0o077) !== 0) chmodSync(path, mode);
    } catch (error) {
      this.notPrivate.push(`${path} (${(error as Error).message})`);
    }
  }

  /** Sets aside what is not what it has to be. */
  #clear(path: string, kind: 'isFile' | 'isDirectory'): void {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there !== undefined && !there[kind]() && moveAside(path)) this.setAside++;
  }
}

/** Node's own `recursive` never returns where a file system answers ENOENT to every attempt, as /proc does. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: FOLDER_MODE });
}
