// Commands on the ensemble: config, reconfig; and version.

import { readFileSync } from 'node:fs';
import { BUILD_DATE, FULL_VERSION } from '@nodekeeper/server/version';
import type { Command, Context, Reply } from '../command.js';
import { CommandError } from '../failure.js';
import type { Parsed } from '../options.js';
import { statJson, statLines } from '../texts.js';

const RECONFIG_USAGE =
  '[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]';

export const ensembleCommands: readonly Command[] = [
  {
    name: 'config',
    usage: '[-c] [-w] [-s]',
    about: 'print the members of the ensemble: -c as a connection string for clients, -w watch them, -s with the stat',
    flags: ['c', 'w', 's'],
    async run({ client }, parsed) {
      const { data, stat } = await client.getConfig({ watch: parsed.flags.has('w') });
      const text = data?.toString() ?? 'null';
      const isStat = parsed.flags.has('s');
      const lines = [parsed.flags.has('c') ? clientPorts(text) : text, ...(isStat ? statLines(stat) : [])];
      return {
        lines,
        value: { config: text, connect: clientPorts(text), ...(isStat ? { stat: statJson(stat) } : {}) },
      };
    },
  },
  {
    name: 'reconfig',
    usage: RECONFIG_USAGE,
    about: 'change the members of the ensemble; -v only if the configuration has this version, in hexadecimal',
    flags: ['s'],
    values: ['v', 'file', 'members', 'add', 'remove'],
    run: reconfig,
  },
  {
    name: 'version',
    usage: '',
    about: 'print the version of this command',
    isLocal: true,
    async run(_context, { rest }) {
      if (rest.length > 0) throw new CommandError('version');
      return {
        lines: [`ZooKeeper CLI version: ${FULL_VERSION}, built on ${BUILD_DATE}`],
        value: { version: FULL_VERSION },
      };
    },
  },
];

/** `version host:port,…` of the ports for clients. */
function clientPorts(config: string): string {
  const version = /^version=(.*)$/m.exec(config)?.[1] ?? '';
  const ports = [...config.matchAll(/^server\.\d+=([^;\n]*);(.*)$/gm)].map(([, , client = '']) => {
    const at = client.trim();
    return /^\d+$/.test(at) ? `0.0.0.0:${at}` : at;
  });
  return `${version} ${ports.join(',')}`;
}

async function reconfig({ client }: Context, parsed: Parsed): Promise<Reply> {
  const { values } = parsed;
  const [file, members, add, remove] = ['file', 'members', 'add', 'remove'].map((name) => values.get(name));
  const isWhole = file !== undefined || members !== undefined;
  const isPart = add !== undefined || remove !== undefined;
  if (!isWhole && !isPart) throw new CommandError(`reconfig ${RECONFIG_USAGE}`);
  const version = values.get('v');
  if (version !== undefined && !/^[0-9a-fA-F]+$/.test(version))
    throw new CommandError('-v must be followed by a long (configuration version)');
  if (isWhole && isPart) {
    throw new CommandError(
      "Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes is not allowed)",
    );
  }
  if (file !== undefined && members !== undefined)
    throw new CommandError("Can't use -file and -members together (conflicting non-incremental modes)");
  const all = file === undefined ? members?.toLowerCase() : membersOf(file);
  const { data, stat } = await client.reconfig({
    ...(add === undefined ? {} : { joining: add.toLowerCase() }),
    ...(remove === undefined ? {} : { leaving: remove.toLowerCase() }),
    ...(all === undefined ? {} : { members: all }),
    fromConfig: version === undefined ? -1n : BigInt(`0x${version}`),
  });
  const text = data?.toString() ?? '';
  return {
    lines: ['Committed new configuration:', ...text.split('\n'), ...(parsed.flags.has('s') ? statLines(stat) : [])],
    value: { config: text, stat: statJson(stat) },
  };
}

/** The lines of a file that say who is a member, how servers are grouped and weighed. */
function membersOf(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`Error processing ${file}: ${error instanceof Error ? error.message : error}`);
  }
  const lines = text.split('\n').map((line) => line.trim());
  const members = lines.filter((line) => /^(server|group|weight)\.\d+\s*=/.test(line));
  if (members.length === 0) throw new CommandError(`Error processing ${file}: it names no server`);
  return members.join(',');
}
