// `nodekeeper shell`: one command, lines from a pipe, or a dialogue at a terminal.

import { createInterface } from 'node:readline';
import { parseConnectString } from '@nodekeeper/client';
import { UsageError } from '../arguments.js';
import { parseShellArguments, SHELL_USAGE, type ShellArguments } from './arguments.js';
import { coloursFor } from './colours.js';
import { failureLine } from './failure.js';
import { Shell, type ShellOutput } from './shell.js';
import { Streams } from './streams.js';
import { runTerminal } from './terminal.js';

/** How long the first prompt waits for a connection, in milliseconds. */
const FIRST_PROMPT = 1000;

const streams = new Streams();
const output: ShellOutput = {
  line: (text) => streams.line(text),
  note: (text) => streams.note(text),
  colours: coloursFor(process.stdout),
};

/** Runs the shell to its end. Returns the exit code. */
export async function runShell(args: readonly string[]): Promise<number> {
  let options: ShellArguments;
  try {
    options = await parseShellArguments(args);
    checkServers(options.server);
  } catch (error) {
    process.stderr.write(`${failureLine(error, args.includes('--json'))}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
  if (options.help) {
    process.stdout.write(options.json ? `${JSON.stringify({ usage: SHELL_USAGE })}\n` : SHELL_USAGE);
    return 0;
  }
  const exitCode = await (options.command.length > 0 ? runOnce(options) : runDialogue(options));
  await streams.end();
  return exitCode;
}

/** @throws UsageError */
function checkServers(text: string): void {
  try {
    parseConnectString(text);
  } catch (error) {
    throw new UsageError(`-server '${text}': ${error instanceof Error ? error.message : error}`);
  }
}

/** A single command: nothing is printed but what comes of it. */
async function runOnce(options: ShellArguments): Promise<number> {
  const shell = new Shell(options, output, false);
  await shell.run(options.command);
  await shell.close();
  return shell.exitCode;
}

async function runDialogue(options: ShellArguments): Promise<number> {
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  if (!options.json) {
    output.line(`Connecting to ${options.server}`);
    output.line('Welcome to Nodekeeper! `help` lists the commands.');
  }
  const shell = new Shell(options, output, true);
  if (options.waitForConnection) {
    try {
      await shell.connected();
    } catch (error) {
      output.note(failureLine(error, options.json));
      await shell.close();
      return 1;
    }
  }
  if (isTerminal) {
    await shell.client.connected({ timeout: FIRST_PROMPT }).catch(() => {}); // the prompt tells
    await runTerminal(shell, streams);
  } else {
    for await (const line of createInterface({ input: process.stdin })) {
      await shell.execute(line);
      if (shell.isOver) break;
    }
    process.stdin.destroy(); // who writes into it may leave it open
  }
  const { exitCode } = shell;
  await shell.close();
  return exitCode;
}
