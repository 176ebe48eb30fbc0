#!/usr/bin/env node
// The command `busbar`: runs what was typed, and ends with its exit code.
import { systemClock } from '../shared/clock.js';
import { Exit } from './exit.js';
import { runCommandLine } from './run.js';

/** So long what was printed may take to be read, in milliseconds. */
const LEFT_RUNNING_MS = 1000;

/** `busbar errors list | head` closes the pipe: that is no error. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(Exit.DONE);
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2));
// What a module of `--app` has left running, having failed, must keep nobody waiting.
systemClock.after(LEFT_RUNNING_MS, () => process.exit());
