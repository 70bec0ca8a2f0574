// A keytab file: the long-term keys of services and users. Source: MIT's documentation of the keytab file format, version 2.
// File: bytes 5 2, entries. Entry: int size (negative: a hole), then short components, string realm, strings components,
// int name type, int time, byte kvno, short enctype, string key, int kvno if there is room. Strings begin with a short length.

import { readFileSync, statSync } from 'node:fs';
import { ENCTYPES, Key } from './crypto/key.js';
import { KerberosError } from './errors.js';
import { type Principal, samePrincipal } from './principal.js';

export interface KeytabEntry {
  readonly principal: Principal;
  readonly kvno: number;
  readonly key: Key;
}

/**
 * The entries with keys of known encryption types.
 * @throws KerberosError if it is no keytab
 */
export function parseKeytab(bytes: Buffer): KeytabEntry[] {
  if (bytes.length < 2 || bytes.readUInt16BE(0) !== 0x0502) throw new KerberosError('no keytab of version 2');
  const entries: KeytabEntry[] = [];
  for (let at = 2; at + 4 <= bytes.length; ) {
    const size = bytes.readInt32BE(at);
    at += 4;
    if (size === 0) break;
    const end = at + Math.abs(size);
    if (end > bytes.length) throw new KerberosError('a keytab that ends within an entry');
    const entry = size > 0 ? readEntry(bytes.subarray(at, end)) : undefined;
    if (entry !== undefined) entries.push(entry);
    at = end;
  }
  return entries;
}

function readEntry(bytes: Buffer): KeytabEntry | undefined {
  try {
    let at = 0;
    const short = (): number => {
      at += 2;
      return bytes.readUInt16BE(at - 2);
    };
    const string = (): Buffer => {
      const length = short();
      if (length > bytes.length - at) throw new RangeError();
      at += length;
      return bytes.subarray(at - length, at);
    };
    const count = short();
    const realm = string().toString();
    const components = Array.from({ length: count }, () => string().toString());
    at += 8; // name type, time
    const shortKvno = bytes.readUInt8(at++);
    const enctype = short();
    const key = string();
    const longKvno = bytes.length - at >= 4 ? bytes.readUInt32BE(at) : 0;
    if (!ENCTYPES.some(({ id }) => id === enctype)) return undefined;
    const kvno = longKvno === 0 ? shortKvno : longKvno;
    return { principal: { components, realm }, kvno, key: new Key(enctype, Buffer.from(key)) };
  } catch (error) {
    throw error instanceof RangeError ? new KerberosError('a keytab with a damaged entry') : error;
  }
}

function rank({ key }: KeytabEntry): number {
  return ENCTYPES.indexOf(key.enctype);
}

/** A keytab file, read again when it has changed, so that new keys need no restart. */
export class Keytab {
  readonly path: string;
  private entries: readonly KeytabEntry[] = [];
  private version = '';

  constructor(path: string) {
    this.path = path;
  }

  /**
   * The keys of the principal, the newest first, and of those the one of the most usual encryption type.
   * @throws KerberosError if the file cannot be read, or has none
   */
  keysOf(principal: Principal): KeytabEntry[] {
    this.refresh();
    const keys = this.entries.filter((entry) => samePrincipal(entry.principal, principal));
    if (keys.length > 0) return keys.sort((a, b) => b.kvno - a.kvno || rank(a) - rank(b));
    const name = `${principal.components.join('/')}@${principal.realm}`;
    throw new KerberosError(`keytab ${this.path} has no key of ${name} of a known encryption type`);
  }

  private refresh(): void {
    try {
      const { mtimeMs, size, ino } = statSync(this.path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version === this.version) return;
      this.entries = parseKeytab(readFileSync(this.path));
      this.version = version;
    } catch (error) {
      throw new KerberosError(`keytab ${this.path}: ${(error as Error).message}`);
    }
  }
}
