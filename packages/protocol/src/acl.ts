// Access control lists: permissions, identities and their wire form. Source: ZooDefs.Perms, ZooDefs.Ids, data.ACL.

import type { JuteReader } from './reader.js';
import type { JuteWriter } from './writer.js';

export const Perms = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

/** One entry of an ACL. `scheme` and `id` are null only in what a broken client sent. */
export interface Acl {
  readonly perms: number;
  readonly scheme: string | null;
  readonly id: string | null;
}

export const OPEN_ACL_UNSAFE: readonly Acl[] = [{ perms: Perms.all, scheme: 'world', id: 'anyone' }];
export const READ_ACL_UNSAFE: readonly Acl[] = [{ perms: Perms.read, scheme: 'world', id: 'anyone' }];
export const CREATOR_ALL_ACL: readonly Acl[] = [{ perms: Perms.all, scheme: 'auth', id: '' }];

// ACL: int perms, ustring scheme, ustring id
export function readAcl(r: JuteReader): Acl {
  return { perms: r.int(), scheme: r.string(), id: r.string() };
}

export function writeAcl(w: JuteWriter, acl: Acl): void {
  w.int(acl.perms).string(acl.scheme).string(acl.id);
}

export function readAclList(r: JuteReader): Acl[] | null {
  return r.vector(readAcl);
}

export function writeAclList(w: JuteWriter, list: readonly Acl[] | null): void {
  w.vector(list, writeAcl);
}
