// Which of the configured members this data directory is, and where its clients connect.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { isWildcard, javaAddress } from '../quorum/java-address.js';
import type { Member } from '../quorum/quorum-config.js';
import type { ServerConfig } from './index.js';
import { ConfigError } from './parse.js';

/** The member that `<dataDir>/myid` names; undefined for a standalone server, or where the file does not say. */
export function ownMember(config: ServerConfig): Member | undefined {
  if (config.ensemble === undefined) return undefined;
  try {
    const id = Number(readFileSync(join(config.dataDir, 'myid'), 'utf8').split('\n', 1)[0]);
    return config.ensemble.members.members.get(id);
  } catch {
    return undefined;
  }
}

/** Where a client on this machine connects. `port` is undefined where only TLS is spoken. */
export function clientPlace(config: ServerConfig): { readonly host: string; readonly port: number | undefined } {
  const own = ownMember(config)?.clientAddress;
  const host = own?.host ?? config.clientPortAddress ?? 'localhost';
  return { host: isWildcard(host) ? 'localhost' : host, port: own?.port ?? config.clientPort };
}

/**
 * The client address in the own line counts. Holds that clientPort and clientPortAddress do not contradict it, as Apache's
 * QuorumPeerConfig.setupClientPort does; whether a name stands for an address is not looked up.
 * @throws ConfigError if they do
 */
export function checkClientAddress(config: ServerConfig, { id, clientAddress }: Member): void {
  const { clientPort: port, clientPortAddress: host = '0.0.0.0', path = 'configuration' } = config;
  if (clientAddress === undefined || port === undefined || port === 0) return;
  const listed = clientAddress.host;
  const bothKnown = isIP(host) !== 0 && isIP(listed) !== 0;
  const sameHost = isWildcard(host) || javaAddress(host) === listed || !(bothKnown || isWildcard(listed));
  if (sameHost && port === clientAddress.port) return;
  throw new ConfigError(
    `${path}: clients come to ${host} port ${port} by clientPort and clientPortAddress, but to ${listed} port ${clientAddress.port} by server.${id}. Remove the former`,
  );
}
