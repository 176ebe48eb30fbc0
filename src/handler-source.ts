// Where the handler that a user gave lies, as workers can load it.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { invalidOption } from './shared/errors.js';
import { isHandlerDefinition } from './shared/handler.js';
import type { HandlerSource } from './shared/lane-task.js';

/** @throws BUSBAR_INVALID_OPTION */
export function sourceOf(handler: unknown, exportName: string): HandlerSource {
  if (isHandlerDefinition(handler))
    return { url: fileUrlOf(handler.url), exportName: handler.options.export ?? 'default' };
  if (handler instanceof URL) return { url: fileUrlOf(handler.href), exportName };
  if (typeof handler === 'string' && handler !== '') return { url: fileUrlOf(handler), exportName };
  throw invalidOption('handler', 'a defineHandler value, the file: URL of a module, or a function', handler);
}

/** A CommonJS module gives its `__filename`. */
function fileUrlOf(url: string): string {
  if (/^[a-z][a-z+.-]+:/i.test(url)) {
    if (!url.startsWith('file:')) throw invalidOption('handler', 'a file: URL or an absolute path', url);
    return pathToFileURL(fileURLToPath(url)).href + (/[?#].*$/.exec(url)?.[0] ?? '');
  }
  if (url.startsWith('/')) return pathToFileURL(url).href;
  throw invalidOption('handler', 'a file: URL or an absolute path', url);
}
