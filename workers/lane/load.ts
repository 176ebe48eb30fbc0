// Loads a handler's module on this thread, once.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { classifyError } from '../../src/shared/classify.js';
import { toErrorRecord } from '../../src/shared/error-record.js';
import { BusbarError, show } from '../../src/shared/errors.js';
import { type Handler, type HandlerOptions, isHandlerDefinition, type Middleware } from '../../src/shared/handler.js';
import { type HandlerSource, handlerKey, type LoadFailure } from '../../src/shared/lane-task.js';
import { createRedactor, type RedactOptions } from '../../src/shared/redact.js';
import { placeOfSyntaxError } from './syntax-place.js';
import { expectTeardown } from './teardown.js';

/** A handler ready to be called on this thread; its `setup` has run. */
export interface LoadedHandler {
  readonly handle: Handler;
  readonly options: HandlerOptions;
}

const loaded = new Map<string, Promise<LoadedHandler>>();
/** Teardowns that run; the same handler is not set up again before. */
const endings = new Map<string, Promise<unknown>>();

/**
 * @param onSetup called when the module is imported, and its set-up begins, unless that was before
 * @throws BUSBAR_HANDLER_LOAD, with what the module or its set-up threw as the cause
 */
export function loadHandler(source: HandlerSource, onSetup: () => void): Promise<LoadedHandler> {
  const name = handlerKey(source);
  let handler = loaded.get(name);
  if (handler === undefined) {
    handler = (endings.get(name) ?? Promise.resolve()).then(() => importHandler(source, onSetup));
    loaded.set(name, handler);
    // What set-up needs may be back the next time.
    handler.catch(() => loaded.delete(name));
  }
  return handler;
}

/** A failed load as a plain record; the category comes from the cause, seen as set-up. */
export function describeLoadFailure(thrown: unknown, redact: RedactOptions): LoadFailure {
  return {
    category: classifyError(thrown, { phase: 'setup' }).category,
    error: toErrorRecord(thrown, createRedactor(redact)),
  };
}

async function importHandler(source: HandlerSource, onSetup: () => void): Promise<LoadedHandler> {
  const exported = pickExport(await importModule(source), source);
  const options = isHandlerDefinition(exported) ? exported.options : {};
  const handle = isHandlerDefinition(exported) ? exported.handle : exported;
  if (typeof handle !== 'function') {
    const what = `export "${source.exportName}" of ${source.url}`;
    throw new BusbarError(
      'BUSBAR_HANDLER_LOAD',
      `${what} must be a function or a defineHandler value; found ${show(handle)}`,
    );
  }
  const codec = options.codec?.name ?? null;
  if (codec !== source.codec) {
    const what = `handler module ${source.url} has ${codec ?? 'no'} codec, and its subscription ${source.codec ?? 'none'}`;
    throw new BusbarError('BUSBAR_HANDLER_LOAD', `${what}: both halves need the same one`);
  }
  onSetup();
  try {
    await options.setup?.();
  } catch (cause) {
    throw new BusbarError('BUSBAR_HANDLER_LOAD', `setup of ${source.url} threw: ${textOf(cause)}`, { cause });
  }
  const { teardown } = options;
  if (teardown !== undefined) expectTeardown(handlerKey(source), (redact) => takeDown(source, teardown, redact));
  return { handle: within(options.middleware ?? [], handle as Handler), options };
}

/** From here on the handler is set up anew for whoever needs it. */
async function takeDown(
  source: HandlerSource,
  teardown: () => unknown,
  redact: RedactOptions,
): Promise<LoadFailure | null> {
  const name = handlerKey(source);
  loaded.delete(name);
  const ending = new Promise((settle) => settle(teardown()));
  endings.set(
    name,
    ending.catch(() => undefined).then(() => endings.delete(name)),
  );
  try {
    await ending;
    return null;
  } catch (thrown) {
    return describeLoadFailure(thrown, redact);
  }
}

/** The handler with its middleware around it, the first one outermost. */
function within(middleware: readonly Middleware[], handle: Handler): Handler {
  return middleware.reduceRight<Handler>(
    (next, around) => (payload, context) => around(payload, context, (given) => next(given, context)),
    handle,
  );
}

async function importModule(source: HandlerSource): Promise<Record<string, unknown>> {
  const { url } = source;
  try {
    if (/\.[cm]?ts$/.test(url)) await registerTypeScript(url);
    return (await import(url)) as Record<string, unknown>;
  } catch (cause) {
    const place = await placeOfSyntaxError(source, cause);
    const where = place === undefined ? '' : ` (${place})`;
    const what = `handler module ${url} cannot be imported: ${textOf(cause)}${where}`;
    throw new BusbarError('BUSBAR_HANDLER_LOAD', what, { cause });
  }
}

/** A CommonJS module's `exports` is its default export; `exports.default` inside it, when a compiler wrote that. */
function pickExport(module: Record<string, unknown>, source: HandlerSource): unknown {
  const commonJs = module['default'];
  const inner = typeof commonJs === 'object' && commonJs !== null ? (commonJs as Record<string, unknown>) : {};
  if (source.exportName === 'default') return isHandlerDefinition(commonJs) ? commonJs : (inner['default'] ?? commonJs);
  return module[source.exportName] ?? inner[source.exportName];
}

/** Node 20 cannot strip types: the handler's own project must have tsx. Newer versions need nothing. */
async function registerTypeScript(url: string): Promise<void> {
  if ((process.features as { typescript?: unknown }).typescript) return;
  const tsx = tsxFor(url);
  const module = (await import(pathToFileURL(tsx).href)) as {
    register?: () => void;
    default?: { register: () => void };
  };
  (module.register ?? module.default?.register)?.();
}

/** @throws BUSBAR_HANDLER_LOAD */
function tsxFor(url: string): string {
  try {
    return createRequire(url).resolve('tsx/esm/api');
  } catch (cause) {
    const what = 'this Node loads no TypeScript by itself: npm install tsx, or name the compiled module';
    throw new BusbarError('BUSBAR_HANDLER_LOAD', what, { cause });
  }
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : show(thrown);
}
