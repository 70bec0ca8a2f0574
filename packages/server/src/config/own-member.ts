// Which of the configured members this data directory is, and where its clients connect.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Member } from '../quorum/quorum-config.js';
import type { ServerConfig } from './index.js';

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
  const host = config.clientPortAddress ?? own?.host ?? 'localhost';
  return { host: host === '0.0.0.0' || host === '::' ? 'localhost' : host, port: own?.port ?? config.clientPort };
}
