// Where the handler that a user gave lies, as workers can load it.
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ResolvedBusOptions, ResolvedSubscribeOptions } from './resolved-options.js';
import { invalidOption } from './shared/errors.js';
import { type CodecChoice, isHandlerDefinition } from './shared/handler.js';
import type { HandlerSource } from './shared/lane-task.js';

/**
 * Undefined for a plain function, which stays on the main thread.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function sourceOf(handler: unknown, options: ResolvedSubscribeOptions): HandlerSource | undefined {
  if (typeof handler === 'function' && !isHandlerDefinition(handler)) {
    if (options.bytes !== 'view') return undefined;
    throw invalidOption('bytes', "'copy' for a function that runs on the main thread", options.bytes);
  }
  if (options.validate === undefined) {
    const { codec, setupTimeoutMs } = options;
    return {
      ...moduleOf(handler, options.export),
      codec: typeof codec === 'object' ? codec.name : null,
      setupTimeoutMs,
    };
  }
  // A schema cannot cross threads.
  throw invalidOption('validate', "an option of defineHandler in the handler's own module", 'one of subscribe');
}

/**
 * The codec of a subscription: its handler's own, or that of the options.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function codecOf(
  handler: unknown,
  { codec }: ResolvedSubscribeOptions,
  { codec: itsBus, transport }: ResolvedBusOptions,
): CodecChoice {
  if (!isHandlerDefinition(handler)) return codec;
  const own = handler.options.codec;
  if (own === undefined) {
    if (typeof codec === 'string') return codec;
    throw invalidOption('codec', "an option of defineHandler in the handler's own module", 'one of subscribe');
  }
  if (transport !== null) throw invalidOption('defineHandler: codec', 'left out where there is a transport', own.name);
  if (codec === own || codec === itsBus) return own;
  throw invalidOption('codec', `left out beside a defineHandler value, which has the codec ${own.name}`, codec);
}

function moduleOf(handler: unknown, exportName: string): Pick<HandlerSource, 'url' | 'exportName'> {
  if (isHandlerDefinition(handler)) {
    const own = handler.options.export ?? 'default';
    if (exportName !== 'default' && exportName !== own) {
      throw invalidOption('export', `left out beside a defineHandler value, which says '${own}' itself`, exportName);
    }
    return { url: fileUrlOf(handler.url), exportName: own };
  }
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
