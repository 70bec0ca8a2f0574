// A credential cache file, which kinit leaves: a user's tickets. Source: MIT's documentation of the credential cache file format.
// File: bytes 5 4, short length of a header, header, principal, credentials; version 3 has no header. Lengths and counts are ints.
// Credential: client, service, short enctype (twice in version 3), key, ints auth, start, end and renewal time, byte, int flags,
// addresses, authorization data (each a list of short type and bytes), ticket, second ticket.

import { readFileSync } from 'node:fs';
import { Key } from './crypto/key.js';
import { KerberosError } from './errors.js';
import type { Principal } from './principal.js';
import type { ServiceTicket } from './service-ticket.js';

export interface CredentialCache {
  /** Whose tickets these are. */
  readonly principal: Principal;
  /** Those with keys of known encryption types. */
  readonly tickets: readonly ServiceTicket[];
}

/** Settings of MIT's library stand in the cache as tickets of this realm. */
const SETTINGS = 'X-CACHECONF:';

/** @throws KerberosError if it cannot be read */
export function loadCredentialCache(path: string): CredentialCache {
  try {
    return parseCredentialCache(readFileSync(path));
  } catch (error) {
    throw new KerberosError(`credential cache ${path}: ${(error as Error).message}`);
  }
}

/** @throws KerberosError if it is none */
export function parseCredentialCache(bytes: Buffer): CredentialCache {
  const version = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  if (version !== 0x0504 && version !== 0x0503) throw new KerberosError('no credential cache of version 3 or 4');
  try {
    const r = new Reader(bytes);
    if (version === 0x0504) r.skip(r.short());
    const principal = r.principal();
    const tickets: ServiceTicket[] = [];
    while (r.remaining > 0) {
      const ticket = readTicket(r, version === 0x0503);
      if (ticket !== undefined) tickets.push(ticket);
    }
    return { principal, tickets };
  } catch (error) {
    throw error instanceof RangeError ? new KerberosError('it ends early') : error;
  }
}

function readTicket(r: Reader, old: boolean): ServiceTicket | undefined {
  const client = r.principal();
  const service = r.principal();
  const enctype = r.short();
  if (old) r.short();
  const keyBytes = Buffer.from(r.data());
  r.skip(8);
  const end = r.int() * 1000;
  r.skip(4 + 1 + 4);
  for (let lists = 0; lists < 2; lists++) {
    for (let count = r.int(); count > 0; count--) {
      r.short();
      r.data();
    }
  }
  const ticket = Buffer.from(r.data());
  r.data();
  if (service.realm === SETTINGS) return undefined;
  try {
    return { client, service, ticket, key: new Key(enctype, keyBytes), end };
  } catch (error) {
    if (error instanceof KerberosError) return undefined;
    throw error;
  }
}

/** Throws RangeError at the end of the bytes. */
class Reader {
  private readonly bytes: Buffer;
  private at = 2;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  skip(length: number): void {
    if (length > this.remaining) throw new RangeError();
    this.at += length;
  }

  short(): number {
    this.skip(2);
    return this.bytes.readUInt16BE(this.at - 2);
  }

  int(): number {
    this.skip(4);
    return this.bytes.readUInt32BE(this.at - 4);
  }

  data(): Buffer {
    const length = this.int();
    this.skip(length);
    return this.bytes.subarray(this.at - length, this.at);
  }

  principal(): Principal {
    this.int(); // name type
    const count = this.int();
    const realm = this.data().toString();
    const components: string[] = [];
    for (let i = 0; i < count; i++) components.push(this.data().toString());
    return { components, realm };
  }
}
