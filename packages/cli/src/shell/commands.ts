// All commands of the shell, and how they are listed.

import type { Command } from './command.js';
import { aclCommands } from './commands/acls.js';
import { ensembleCommands } from './commands/ensemble.js';
import { nodeCommands } from './commands/nodes.js';
import { quotaCommands } from './commands/quotas.js';
import { watchCommands } from './commands/watches.js';

/** Those that need a client. */
export const COMMANDS: ReadonlyMap<string, Command> = new Map(
  [...nodeCommands, ...aclCommands, ...quotaCommands, ...watchCommands, ...ensembleCommands].map((one) => [
    one.name,
    one,
  ]),
);

/** Those that the shell does itself. */
export const OWN_COMMANDS: ReadonlyMap<string, { readonly usage: string; readonly about: string }> = new Map([
  ['connect', { usage: 'host:port', about: 'connect to other servers, in a new session' }],
  ['close', { usage: '', about: 'end the session' }],
  ['history', { usage: '', about: 'list the last lines, with their numbers' }],
  ['redo', { usage: 'cmdno', about: 'do what the line of that number says again' }],
  ['printwatches', { usage: 'on|off', about: 'show events of watches, or not; without a word: tell which' }],
  ['quit', { usage: '', about: 'end the session and the shell' }],
]);

export const NAMES: readonly string[] = [...COMMANDS.keys(), ...OWN_COMMANDS.keys()].sort();

/** What zkCli prints for a command that it does not know. */
export function usageLines(): string[] {
  return [
    'ZooKeeper -server host:port -client-configuration properties-file cmd args',
    ...NAMES.map((name) => `\t${name} ${(COMMANDS.get(name) ?? OWN_COMMANDS.get(name))?.usage ?? ''}`),
  ];
}

/** For `help`: all commands, or one. Undefined if there is no such command. */
export function helpLines(name: string | undefined): string[] | undefined {
  if (name !== undefined) {
    const command = COMMANDS.get(name);
    const { usage, about } = command ?? OWN_COMMANDS.get(name) ?? {};
    return usage === undefined ? undefined : [`${name} ${command?.fullUsage ?? usage}`.trimEnd(), `  ${about}`];
  }
  const width = Math.max(...NAMES.map(({ length }) => length)) + 2;
  return NAMES.map((one) => `${one.padEnd(width)}${(COMMANDS.get(one) ?? OWN_COMMANDS.get(one))?.about ?? ''}`);
}
