// Who holds a folder's lock: written beside it, so that the lock of a dead process can be told from a live one's.
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** The content of `.owner.json`. Empty texts: the system does not say. */
export interface Owner {
  readonly pid: number;
  /** When its process started, in clock ticks since the system did; tells a reused pid. */
  readonly started: string;
  readonly host: string;
  /** Of the start of its system. */
  readonly boot_id: string;
  /** Pids mean something in one namespace only: each container has its own. */
  readonly pid_namespace: string;
  /** It holds the folder for a moment only: whoever comes meanwhile waits. */
  readonly brief: boolean;
}

/** `elsewhere`: on another machine, or in another container, from where its process cannot be seen. */
export type Fate = 'alive' | 'gone' | 'elsewhere';

export function thisProcess(brief: boolean): Owner {
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    host: hostname(),
    boot_id: textFrom(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pid_namespace: textFrom(() => readlinkSync('/proc/self/ns/pid')),
    brief,
  };
}

/** Undefined: there is none, or it makes no sense. */
export function readOwner(path: string): Owner | undefined {
  try {
    const { pid, ...owner } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Record<keyof Owner, unknown>>;
    if (typeof pid !== 'number' || !Number.isInteger(pid) || pid < 1) return undefined;
    const text = (value: unknown): string => (typeof value === 'string' ? value : '');
    return {
      pid,
      started: text(owner.started),
      host: text(owner.host),
      boot_id: text(owner.boot_id),
      pid_namespace: text(owner.pid_namespace),
      brief: owner.brief === true,
    };
  } catch {
    return undefined;
  }
}

/** @param isReplacement a dead thread of this process may have left its lock */
export function fateOf(owner: Owner, isReplacement: boolean): Fate {
  const here = thisProcess(false);
  const isHere =
    owner.boot_id === here.boot_id &&
    owner.pid_namespace === here.pid_namespace &&
    // A name may change while a system runs; where there is nothing better it has to do.
    (here.boot_id !== '' || owner.host === here.host);
  if (!isHere) return 'elsewhere';
  if (owner.pid === here.pid) return isReplacement || owner.started !== here.started ? 'gone' : 'alive';
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as { code?: unknown }).code === 'ESRCH' ? 'gone' : 'alive';
  }
  const started = startOf(owner.pid);
  return started !== undefined && started !== owner.started ? 'gone' : 'alive';
}

/** Field 22 of /proc/<pid>/stat. Undefined where there is no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function textFrom(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
