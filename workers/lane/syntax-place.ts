// Where a module that does not parse is wrong: its error tells what, and V8 where, but only to a debugger.
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../src/shared/clock.js';
import type { HandlerSource } from '../../src/shared/lane-task.js';
import { within } from '../../src/shared/within.js';

/** Imports the module on a thread of its own: here its failure is remembered, and nothing is parsed again. */
const LOOK = `
const { parentPort, workerData } = require('node:worker_threads');
const { Session } = require('node:inspector');
const session = new Session();
const urls = new Map();
const note = ({ params: { scriptId, url } }) => urls.set(scriptId, url);
const ask = (method, params) => new Promise((resolve) => session.post(method, params, (_error, answer) => resolve(answer)));
session.connect();
session.on('Debugger.scriptParsed', note).on('Debugger.scriptFailedToParse', note).post('Debugger.enable');
import(workerData).catch(async (thrown) => {
  globalThis.thrown = thrown;
  const { result } = await ask('Runtime.evaluate', { expression: 'thrown' });
  const { exceptionDetails: where } = await ask('Runtime.getExceptionDetails', { errorObjectId: result.objectId });
  const url = urls.get(where.scriptId);
  parentPort.postMessage(url ? url + ':' + (where.lineNumber + 1) + ':' + (where.columnNumber + 1) : undefined);
});`;
/** In milliseconds; it takes 50 to 100 on a machine that is not busy. */
const LONGEST_LOOK_MS = 10_000;

/** Node's loader threw it, and no code that ran. */
const BY_LOADER = /^\s+at .*\(node:internal\//;

/** As `file:line:column`, of the module itself or of one that it imports; undefined: it is no such error, or nobody knows. */
export async function placeOfSyntaxError(
  { url, setupTimeoutMs }: HandlerSource,
  thrown: unknown,
): Promise<string | undefined> {
  if (!(thrown instanceof SyntaxError) || !BY_LOADER.test(firstFrame(thrown))) return undefined;
  // What the module prints it has printed before.
  const worker = new Worker(LOOK, { eval: true, workerData: url, stdout: true, stderr: true });
  const told = new Promise<string | undefined>((resolve) => {
    worker.once('message', resolve);
    for (const end of ['error', 'exit']) worker.once(end, () => resolve(undefined));
  });
  try {
    return await within(systemClock, Math.min(LONGEST_LOOK_MS, setupTimeoutMs / 2), () => told, undefined, true);
  } finally {
    await worker.terminate();
  }
}

function firstFrame({ stack = '' }: Error): string {
  return stack.split('\n').find((line) => /^\s+at /.test(line)) ?? '';
}
