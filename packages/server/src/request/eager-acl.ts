// With enableEagerACLCheck a learner refuses what its own tree does not permit, instead of asking the leader. The leader judges
// all that passes. Source: ZooKeeperServer.authWriteRequest of Apache ZooKeeper, which looks at these five operations alone.

import { ErrorCode, type JuteReader, OpCode, Perms, parentPath } from '@nodekeeper/protocol';
import type { DataTree } from '../tree/data-tree.js';
import { decodeCreate, decodeDelete, decodeSetAcl, decodeSetData } from './decode.js';
import { type AuthRules, allows, fixupAcl, type Identity } from './identity.js';

/** Bytes of a list, which the leader judges in any case. */
const ENOUGH = 4 * 1024 * 1024;

/** NoAuth or InvalidAcl for a request, at the reader's position, that is refused; Ok for all others. */
export function eagerAclProblem(
  tree: DataTree,
  rules: AuthRules,
  op: number,
  r: JuteReader,
  identities: readonly Identity[],
): number {
  const may = (path: string | null, perms: number): number =>
    path === null || permits(tree, rules, path, perms, identities) ? ErrorCode.Ok : ErrorCode.NoAuth;
  switch (op) {
    case OpCode.create:
    case OpCode.create2: {
      const { path, acl } = decodeCreate(op, r);
      if (fixupAcl(rules, acl, identities, ENOUGH) === ErrorCode.InvalidAcl) return ErrorCode.InvalidAcl;
      return may(parentOf(path), Perms.create);
    }
    case OpCode.delete:
      return may(parentOf(decodeDelete(op, r).path), Perms.delete);
    case OpCode.setData:
      return may(decodeSetData(r).path, Perms.write);
    case OpCode.setACL: {
      const { path, acl } = decodeSetAcl(r);
      if (fixupAcl(rules, acl, identities, ENOUGH) === ErrorCode.InvalidAcl) return ErrorCode.InvalidAcl;
      return may(path, Perms.admin);
    }
    default:
      return ErrorCode.Ok;
  }
}

function parentOf(path: string | null): string | null {
  return path === null || path.lastIndexOf('/') < 0 ? null : parentPath(path);
}

/** A node that is not here may be on its way: the leader knows. */
function permits(
  tree: DataTree,
  rules: AuthRules,
  path: string,
  perms: number,
  identities: readonly Identity[],
): boolean {
  const bytes = Buffer.from(path);
  const node = tree.store.find(bytes, 0, bytes.length);
  if (node <= 0) return true;
  const aclId = tree.aclOf(node);
  return aclId === -1 || allows(rules, aclId, tree.acls.get(aclId), perms, identities);
}
