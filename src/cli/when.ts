// Times as people type and read them.
import { systemClock } from '../shared/clock.js';
import { secondsOfDate } from '../shared/moment.js';
import { CliError, Exit } from './exit.js';

const SECONDS_OF = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/**
 * Seconds since 1970 of `90s`, `15m`, `8h`, `2d` (ago), or of an ISO date, with or without a time; without a zone, this
 * machine's, also for a date alone.
 *
 * @throws CliError
 */
export function parseWhen(option: string, text: string): number {
  const ago = /^(\d{1,9}(?:\.\d{1,3})?)([smhd])$/.exec(text);
  if (ago !== null) return systemClock.now() / 1000 - Number(ago[1]) * SECONDS_OF[ago[2] as keyof typeof SECONDS_OF];
  const seconds = secondsOfDate(text);
  if (!Number.isNaN(seconds)) return seconds;
  throw new CliError(
    Exit.USAGE,
    `--${option} must be a time ago with its unit, as 90s, 15m, 8h or 7d, or a date as 2026-01-31 or 2026-01-31T22:00; received ${JSON.stringify(text)}`,
  );
}

/** As `2026-01-31 22:00:07`, in this machine's time zone. */
export function showTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toLocaleString('sv-SE');
}

/** As `15m`, of a span in seconds. */
export function showSpan(seconds: number): string {
  if (!(seconds >= 60)) return `${Math.max(0, Math.round(seconds)) || 0}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d`;
}
