#!/usr/bin/env node
// The command `busbar`: runs what was typed, and ends with its exit code.
import { Exit } from './exit.js';
import { runCommandLine } from './run.js';

/** `busbar errors list | head` closes the pipe: that is no error. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(Exit.DONE);
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2));
