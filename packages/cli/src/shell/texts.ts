// How stats, ACLs and data are printed and read, in zkCli's format.

import { type Acl, Perms, type Stat } from '@nodekeeper/client';
import { bareHex, javaDate } from '@nodekeeper/server/java-text';

const LETTERS: readonly (readonly [string, number])[] = [
  ['c', Perms.create],
  ['d', Perms.delete],
  ['r', Perms.read],
  ['w', Perms.write],
  ['a', Perms.admin],
];

export function statLines(stat: Stat): string[] {
  return [
    `cZxid = ${hex(stat.czxid)}`,
    `ctime = ${javaDate(stat.ctime)}`,
    `mZxid = ${hex(stat.mzxid)}`,
    `mtime = ${javaDate(stat.mtime)}`,
    `pZxid = ${hex(stat.pzxid)}`,
    `cversion = ${stat.cversion}`,
    `dataVersion = ${stat.version}`,
    `aclVersion = ${stat.aversion}`,
    `ephemeralOwner = 0x${bareHex(stat.ephemeralOwner)}`,
    `dataLength = ${stat.dataLength}`,
    `numChildren = ${stat.numChildren}`,
  ];
}

/** A zxid as it is shown. */
export function hex(zxid: number): string {
  return `0x${bareHex(BigInt(zxid))}`;
}

/** A Stat that JSON can hold: times in ISO format, ids in hexadecimal. */
export function statJson(stat: Stat): Record<string, string | number> {
  return {
    czxid: hex(stat.czxid),
    mzxid: hex(stat.mzxid),
    pzxid: hex(stat.pzxid),
    ctime: new Date(stat.ctime).toISOString(),
    mtime: new Date(stat.mtime).toISOString(),
    version: stat.version,
    cversion: stat.cversion,
    aversion: stat.aversion,
    ephemeralOwner: `0x${bareHex(stat.ephemeralOwner)}`,
    dataLength: stat.dataLength,
    numChildren: stat.numChildren,
  };
}

/** `cdrwa`, or what of it is permitted. */
export function permLetters(perms: number): string {
  return LETTERS.filter(([, bit]) => (perms & bit) !== 0)
    .map(([letter]) => letter)
    .join('');
}

export function aclLines(acl: readonly Acl[]): string[] {
  return acl.flatMap(({ perms, scheme, id }) => [`'${scheme},'${id}`, `: ${permLetters(perms)}`]);
}

/** `scheme:id:perms`, as it is given to `create` and `setAcl`. */
export function aclText(acl: readonly Acl[]): string {
  return acl.map(({ perms, scheme, id }) => `${scheme}:${id}:${permLetters(perms)}`).join(',');
}

/** Reads `scheme:id:perms,…`; what is wrong is told to `complain` and left out, as zkCli does. */
export function parseAcl(text: string, complain: (message: string) => void): Acl[] {
  return text.split(',').flatMap((part) => parseAclEntry(part, complain));
}

/** One `scheme:id:perms`, whose id may have commas; none if it is wrong. */
export function parseAclEntry(text: string, complain: (message: string) => void): Acl[] {
  const first = text.indexOf(':');
  const last = text.lastIndexOf(':');
  if (first === last) {
    complain(`${text} does not have the form scheme:id:perm`);
    return [];
  }
  let perms = 0;
  for (const letter of text.slice(last + 1)) {
    const bit = LETTERS.find(([known]) => known === letter)?.[1];
    if (bit === undefined) complain(`Unknown perm type: ${letter}`);
    perms |= bit ?? 0;
  }
  return [{ perms, scheme: text.slice(0, first), id: text.slice(first + 1, last) }];
}

/** Data for JSON: as text if it is UTF-8, else in base64. */
export function dataJson(data: Buffer | null): { data: string | null; encoding?: 'base64' } {
  if (data === null) return { data: null };
  const text = data.toString('utf8');
  return Buffer.from(text).equals(data) ? { data: text } : { data: data.toString('base64'), encoding: 'base64' };
}

/** The table that zkCli prints for `get -x`: offsets, sixteen bytes, and those that are printable. */
export function hexDump(data: Buffer): string[] {
  const rule = `+--------+${'-'.repeat(49)}+${'-'.repeat(16)}+`;
  const columns = Array.from({ length: 16 }, (_, i) => ` ${i.toString(16)} `).join('');
  const lines = [`         +${'-'.repeat(49)}+`, `         | ${columns}|`, rule];
  for (let at = 0; at < data.length; at += 16) {
    const row = data.subarray(at, at + 16);
    const bytes = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const signs = [...row].map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`|${at.toString(16).padStart(8, '0')}| ${bytes.padEnd(48)}|${signs.padEnd(16)}|`);
  }
  return [...lines, rule];
}
