// The ACL that nearly every node has, world:anyone with all permissions, recognised by its bytes without being decoded.

import type { JuteReader } from '@nodekeeper/protocol';

// One entry: int count 1, int perms 31, ustring "world", ustring "anyone"
const OPEN_ACL_BYTES = Buffer.from('000000010000001f00000005776f726c6400000006616e796f6e65', 'hex');

/** Steps over the open ACL; false, without moving, if another list stands there. */
export function skipOpenAcl(reader: JuteReader): boolean {
  const { buf, pos } = reader;
  if (reader.end - pos < OPEN_ACL_BYTES.length) return false;
  for (let i = OPEN_ACL_BYTES.length - 1; i >= 0; i--) {
    if (buf[pos + i] !== OPEN_ACL_BYTES[i]) return false;
  }
  reader.pos = pos + OPEN_ACL_BYTES.length;
  return true;
}
