// Node's own options, as far as worker threads can take them over from the process.
const ONLY_FOR_TEXT = /^(?:--input-type|--eval|--print|--check|-[epc]$)/;

/** A program given as text (`node --input-type=module -e …`) has options under which no worker could load its file. */
export function workerExecArgv(): string[] {
  return process.execArgv.filter((option, index, all) => {
    const isItsValue = /^(?:--input-type|--eval|--print|-[ep])$/.test(all[index - 1] ?? '');
    return !isItsValue && !ONLY_FOR_TEXT.test(option);
  });
}
