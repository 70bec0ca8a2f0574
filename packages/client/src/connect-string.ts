// Connection strings: `host:port,host:port/chroot`, or `dns-srv://name/chroot` as Apache's client has it.

import { pathProblem } from '#protocol';

export const DEFAULT_PORT = 2181;

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ConnectString {
  /** The servers as written; empty if `srv` names where to look them up. */
  readonly servers: readonly ServerAddress[];
  /** Domain name of the SRV records that list the servers. */
  readonly srv: string | undefined;
  /** Put before every path; empty for none. */
  readonly chroot: string;
}

const SRV_PREFIX = 'dns-srv://';

/** @throws TypeError if the string names no server, or the chroot is no valid path */
export function parseConnectString(text: string): ConnectString {
  if (typeof text !== 'string') throw new TypeError('the servers must be given as text, host:port,…');
  const isSrv = text.startsWith(SRV_PREFIX);
  const rest = (isSrv ? text.slice(SRV_PREFIX.length) : text).trim();
  const slash = rest.indexOf('/');
  const hosts = slash === -1 ? rest : rest.slice(0, slash);
  const chroot = slash === -1 || slash === rest.length - 1 ? '' : rest.slice(slash);
  const problem = chroot === '' ? null : pathProblem(chroot);
  if (problem !== null) throw new TypeError(`chroot ${chroot}: ${problem}`);
  if (isSrv) {
    if (hosts === '') throw new TypeError(`${text}: a domain name is missing`);
    return { servers: [], srv: hosts, chroot };
  }
  const servers = hosts
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseServer);
  if (servers.length === 0) throw new TypeError('the connection string names no server');
  return { servers, srv: undefined, chroot };
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`, or a bare IPv6 address. */
function parseServer(text: string): ServerAddress {
  const match = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? /^([^:]+)(?::(\d+))?$/.exec(text);
  if (match === null) {
    if (/^[0-9a-fA-F:.]+$/.test(text) && text.includes('::')) return { host: text, port: DEFAULT_PORT };
    throw new TypeError(`${text} is no host:port`);
  }
  const port = match[2] === undefined ? DEFAULT_PORT : Number(match[2]);
  if (port < 1 || port > 65535) throw new TypeError(`${text}: no such port`);
  return { host: match[1] as string, port };
}
