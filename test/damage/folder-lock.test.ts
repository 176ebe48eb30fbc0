// The lock of an owner that cannot be seen from here: of another container, or another machine on the same disk.
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { FolderLock } from '../../workers/logging/folder-lock.js';
import { thisProcess } from '../../workers/logging/lock-owner.js';
import { temporaryFolder } from '../test-bus.js';

const NEVER = (): never => {
  throw new Error('compromised');
};

/** A folder whose lock was left by a process like this one, but for `fields`. */
function lockedFolder(fields: object): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, '.lock'));
  writeFileSync(join(folder, '.owner.json'), JSON.stringify({ ...thisProcess(false), ...fields }));
  return folder;
}

const lockOn = (folder: string, watchMs = 300): FolderLock =>
  new FolderLock(folder, { isReplacement: false, isBrief: false, watchMs }, NEVER);

describe('the lock of a process', () => {
  it('in another container is left to it while it is refreshed, whatever runs here under its pid', async () => {
    const folder = lockedFolder({ pid: 1, started: 'then', pid_namespace: 'pid:[1]', host: 'box' });
    let seconds = Date.now() / 1000;
    const refreshing = setInterval(() => utimesSync(join(folder, '.lock'), seconds, seconds++), 30);
    const taken = await lockOn(folder).take();
    clearInterval(refreshing);
    expect(taken).toEqual({
      ok: false,
      code: 'BUSBAR_FOLDER_LOCKED',
      message: `log folder ${folder} is in use by process 1 of another container or machine, box`,
    });
  });

  it('in another container is taken over when it is not refreshed, whatever the clocks say', async () => {
    // Its pid is alive here, and its lock is from the future.
    const folder = lockedFolder({ boot_id: 'another' });
    utimesSync(join(folder, '.lock'), 4e9, 4e9);
    const lock = lockOn(folder);
    const begun = performance.now();
    expect(await lock.take()).toEqual({ ok: true });
    expect(performance.now() - begun).toBeGreaterThan(290);
    await lock.giveBack();
    expect([existsSync(join(folder, '.lock')), existsSync(join(folder, '.owner.json'))]).toEqual([false, false]);
  });

  it('that is alive here is left to it at once, and that of an earlier one with its pid is taken over at once', async () => {
    const alive = lockedFolder({});
    expect(await lockOn(alive, 60_000).take()).toMatchObject({
      ok: false,
      message: `log folder ${alive} is in use by process ${process.pid}`,
    });
    const lock = lockOn(lockedFolder({ started: '1' }), 60_000);
    expect(await lock.take()).toEqual({ ok: true });
    await lock.giveBack();
  });

  it('that died in the middle of a takeover does not keep others from it', async () => {
    const folder = lockedFolder({ started: '1' });
    mkdirSync(join(folder, '.takeover'));
    const lock = lockOn(folder);
    expect(await lock.take()).toEqual({ ok: true });
    await lock.giveBack();
  });
});
