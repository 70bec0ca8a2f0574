// What to say when a port that a server needs is taken: by whom, and three ways out, which depend on what the port is for.

import { ownMember, type ServerConfig } from '@nodekeeper/server/config';
import { findPortOwner, isListening } from './port-owner.js';

const LAST_PORT = 65_535;

/**
 * @param config what the server was to run with; without one the port is taken for the client port
 * @param address where it was to listen; undefined for all
 */
export function portTakenMessage(port: number, config?: ServerConfig, address?: string): string {
  const [name, ...others] = waysOut(port, config);
  return takenMessage(port, name, address, others);
}

/**
 * @param name what the port is for
 * @param others the two ways besides stopping who has it
 */
export function takenMessage(
  port: number,
  name: string,
  address: string | undefined,
  others: readonly string[],
): string {
  const owner = findPortOwner(port, address);
  const who = owner === undefined ? 'another process' : `process ${owner.pid} (${owner.command.slice(0, 120)})`;
  return [
    `Port ${port}${name === '' ? '' : ` (${name})`} is taken by ${who}. Three ways out:`,
    owner === undefined ? `find and stop it: ss -ltnp 'sport = :${port}'` : `stop it: kill ${owner.pid}`,
    ...others,
  ].join('\n  - ');
}

/** What the port is, and the two ways besides stopping who has it. */
function waysOut(port: number, config: ServerConfig | undefined): [name: string, ...ways: string[]] {
  const start = startCommand(config);
  const free = nextFreePort(port);
  const addresses = config === undefined ? [] : (ownMember(config)?.quorumAddresses ?? []);
  if (config?.secureClientPort === port)
    return [
      'secureClientPort',
      `use another port: ${start} --set secureClientPort=${free}`,
      'set secureClientPort in zoo.cfg, or NODEKEEPER_SECURE_CLIENT_PORT in the environment',
    ];
  for (const { electionPort, quorumPort } of addresses) {
    if (port !== electionPort && port !== quorumPort) continue;
    return [
      port === electionPort ? 'for elections' : 'for the quorum',
      `use another port: change it in this server's line (server.N=host:quorumPort:electionPort) on every server, ${free} is free here`,
      'give this server another address in its line: with quorumListenOnAllIPs=false it listens on that one alone',
    ];
  }
  return [
    '',
    `use another port: ${start} --client-port ${free}`,
    'set clientPort in zoo.cfg, or NODEKEEPER_CLIENT_PORT in the environment',
  ];
}

/** How a server with this configuration is started. */
export function startCommand(config: ServerConfig | undefined): string {
  return `nodekeeper start${config?.path === undefined ? '' : ` ${config.path}`}`;
}

export function nextFreePort(port: number): number {
  for (let next = port + 1; next <= LAST_PORT; next++) if (!isListening(next)) return next;
  return 2181;
}
