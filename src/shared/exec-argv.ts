// Node's own options, as far as worker threads can take them over from the process.
const LOADS_MODULES =
  /^(?:--(?:import|require|loader|experimental-loader|conditions|enable-source-maps|preserve-symlinks)|-[rC])(?:=|$)/;
const IS_FOLLOWED_BY_ITS_VALUE = /^(?:--(?:import|require|loader|experimental-loader|conditions)|-[rC])$/;

/**
 * The `execArgv` of a worker: none, to inherit all. To hand the same options over by name is refused by Node when one
 * belongs to the whole process (`--expose-gc`, `--max-old-space-size`). Only under `--input-type` (a program given as text) can no
 * worker that inherits load its file; there it takes over what loads modules.
 */
export function workerExecArgv(options: readonly string[] = process.execArgv): { execArgv?: string[] } {
  if (!options.some((option) => option.startsWith('--input-type'))) return {};
  const execArgv = options.filter((option, index) => {
    const previous = options[index - 1] ?? '';
    return LOADS_MODULES.test(option) || IS_FOLLOWED_BY_ITS_VALUE.test(previous);
  });
  return { execArgv };
}
