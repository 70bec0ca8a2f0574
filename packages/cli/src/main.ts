#!/usr/bin/env node
// The nodekeeper command. Running a server takes the short way: nothing is loaded that the server does not need.

import { tooManyFiles } from './too-many-files.js';

const [verb, ...rest] = verbFirst(process.argv.slice(2));
if (verb !== 'start-foreground') {
  // Who reads may leave, as `head` does: the rest is told nobody, and what was begun is done.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  process.stdout.on('error', outputLost);
}
const failure = verb === 'tools' ? 2 : 1;
try {
  await run();
} catch (error) {
  const message = tooManyFiles(error);
  if (message === undefined) throw error;
  process.stderr.write(`${message}\n`);
  process.exitCode = failure;
}

async function run(): Promise<void> {
  const wantsHelp = rest.some((arg) => arg === '--help' || arg === '-h');
  if (verb === 'start-foreground' && !wantsHelp) {
    const { startForeground } = await import('./start-foreground.js');
    await startForeground(rest);
  } else if (verb === 'shell') {
    const { runShell } = await import('./shell/index.js');
    process.exitCode = await runShell(rest);
  } else if (verb === 'tools') {
    const { runTools } = await import('./tools/index.js');
    process.exitCode = await runTools(rest);
  } else if (verb === 'doctor') {
    const { runDoctor } = await import('./doctor/index.js');
    process.exitCode = await runDoctor(rest);
  } else {
    const { runCommand } = await import('./commands.js');
    await runCommand(verb === undefined ? [] : [verb, ...rest]);
  }
}

/** A full disk, for one: an export or a finding that is not there must not pass for one. What was started or stopped is, all the same. */
function outputLost({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') return;
  process.stdout.off('error', outputLost);
  process.stderr.write(`standard output cannot be written: ${message}\n`);
  if (['start', 'stop', 'restart', 'ensemble', 'testing-server'].includes(verb ?? '')) return;
  process.on('exit', (exitCode) => {
    process.exitCode = Math.max(exitCode, failure);
  });
}

/** zkServer.sh has the directory of the configuration before the verb: `--config DIR start`. */
function verbFirst(args: readonly string[]): readonly string[] {
  const [option, dir, verb, ...rest] = args;
  return option === '--config' && dir !== undefined && verb !== undefined ? [verb, option, dir, ...rest] : args;
}
