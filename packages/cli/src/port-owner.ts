// Finds out which process listens on a port, so that "address in use" can name it. Linux only; elsewhere it knows nothing.

import { lookup } from 'node:dns/promises';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { BlockList, isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import { isWildcard } from '@nodekeeper/server/config';

export interface PortOwner {
  readonly pid: number;
  readonly command: string;
}

/**
 * The process that listens on the TCP port; undefined if that cannot be found out.
 * @param address where somebody else would like to listen: then only who is in the way there. All addresses if not given
 */
export function findPortOwner(port: number, address?: string): PortOwner | undefined {
  const inodes = listeningSockets(port, address);
  if (inodes.size === 0) return undefined;
  for (const pid of list('/proc')) {
    if (/^\d+$/.test(pid) && hasSocket(pid, inodes))
      return { pid: Number(pid), command: read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim() };
  }
  return undefined;
}

/** The address that a server given this host listens on; undefined for all. */
export async function listenAddress(host: string | undefined): Promise<string | undefined> {
  if (host === undefined) return undefined;
  try {
    return (await lookup(host)).address;
  } catch {
    return undefined; // the server itself will tell
  }
}

/** Whether the process has one of these sockets. */
export function hasSocket(pid: number | string, inodes: ReadonlySet<string>): boolean {
  return list(`/proc/${pid}/fd`).some((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1];
    return inode !== undefined && inodes.has(inode);
  });
}

/** Whether somebody listens on the TCP port, at the address or at all, as far as the system tells. */
export function isListening(port: number, address?: string): boolean {
  return listeningSockets(port, address).size > 0;
}

/** The inodes of the sockets that listen on the port, at the address or at all. */
function listeningSockets(port: number, address: string | undefined): Set<string> {
  const inodes = new Set<string>();
  let asked: BlockList | undefined;
  if (address !== undefined && !isWildcard(address)) {
    asked = new BlockList();
    asked.addAddress(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of read(table).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      const [host = '', digits = ''] = local.split(':');
      if (state !== '0A' || Number.parseInt(digits, 16) !== port || inode === undefined) continue;
      if (asked === undefined || /^0+$/.test(host) || has(asked, host)) inodes.add(inode);
    }
  }
  return inodes;
}

/** @param digits an address as the kernel shows it: words of 32 bits in hexadecimal, in the machine's order of bytes */
function has(addresses: BlockList, digits: string): boolean {
  const bytes = Buffer.from(digits, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  if (bytes.length === 4) return addresses.check(bytes.join('.'), 'ipv4');
  return addresses.check((bytes.toString('hex').match(/.{4}/g) ?? []).join(':'), 'ipv6');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
