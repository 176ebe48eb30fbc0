// A short name for a cause: failures of one class, code, place and message shape share it.
import { fileURLToPath } from 'node:url';
import type { ErrorCategory, ErrorRecord } from './report.js';

const MOST_FRAMES = 3;
const MOST_CACHED = 500;
const cache = new Map<string, string>();

/** `v1:` and 12 hexadecimal digits. Repeated causes are looked up, not hashed again. */
export function signatureOf(category: ErrorCategory, error: ErrorRecord): string {
  const source = [category, error.name, error.code ?? '', ...placesOf(error.stack), shapeOf(error.message)].join('\n');
  const known = cache.get(source);
  if (known !== undefined) return known;
  // Loaded at the first failure: it takes 3 ms of a new thread's start.
  const { createHash } = process.getBuiltinModule('node:crypto');
  const signature = `v1:${createHash('sha256').update(source).digest('hex').slice(0, 12)}`;
  if (cache.size >= MOST_CACHED) cache.clear();
  cache.set(source, signature);
  return signature;
}

/** This package's own folders, as ES and CommonJS modules name themselves: its frames say nothing about the cause. */
const OWN = ['../', '../../workers/'].flatMap((folder) => {
  const url = new URL(folder, import.meta.url);
  return [url.href, fileURLToPath(url)];
});

/** A line of a stack: who was called, if it has a name, and in which file. */
const FRAME = /^\s+at (?:async )?(?:(.*) \()?([^()]*?)(?::\d+:\d+)?\)?$/;

/**
 * The innermost frames of the program's own code, as `function file`: lines move when code is edited, names rarely do. Without
 * folder and ending: with `--enable-source-maps` the same frame is of `src/detect.ts`, without of `dist/detect.js`.
 */
function placesOf(stack: string | undefined): string[] {
  const places: string[] = [];
  for (const line of (stack ?? '').split('\n')) {
    const frame = FRAME.exec(line);
    if (frame === null || line.includes('node:') || line.includes('/node_modules/')) continue;
    if (OWN.some((folder) => line.includes(folder))) continue;
    const [, name = '', file = ''] = frame;
    places.push(`${nameOf(name)} ${fileOf(file)}`);
    if (places.length === MOST_FRAMES) break;
  }
  return places;
}

/** The last part of `Class.method [as alias]`; none of what has no name. */
function nameOf(name: string): string {
  const own =
    name
      .replace(/ \[as .*\]$/, '')
      .split('.')
      .at(-1) ?? '';
  return own === '<anonymous>' ? '' : own;
}

function fileOf(url: string): string {
  const path = url.replace(/[?#].*$/, '');
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.[cm]?[jt]sx?$/, '');
}

const LONGEST_SHAPE = 300;

/** The message without what differs from one occurrence to the next. */
function shapeOf(message: string): string {
  return message
    .slice(0, LONGEST_SHAPE)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '<uuid>')
    .replace(/"[^"]*"|'[^']*'/g, '<text>')
    .replace(/\b0x[0-9a-f]+\b|\b[0-9a-f]{12,}\b/gi, '<hex>')
    .replace(/\d+/g, '<n>');
}
