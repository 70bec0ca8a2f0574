// What each member's disk holds by itself: a copy of its data directory is served by a standalone server and read back.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../servers/index.js';
import type { Member } from './member.js';
import { nextPort } from './ports.js';
import { differences, readTree, type Tree } from './tree.js';

const CFG = {
  extendedTypesEnabled: 'true',
  'DigestAuthenticationProvider.superDigest': 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=',
};

/**
 * Reads the trees of members that don't run.
 * @returns the tree they have in common
 * @throws Error if two of them differ
 */
export async function diskTrees(members: readonly Member[]): Promise<Tree> {
  let first: Tree | undefined;
  for (const member of members) {
    const tree = await diskTree(member);
    first ??= tree;
    const found = differences(first, tree);
    if (found.length > 0)
      throw new Error(`the disks of servers ${members[0].id} and ${member.id} differ:\n    ${found.join('\n    ')}`);
  }
  if (first === undefined) throw new Error('there are no members to read');
  return first;
}

async function diskTree(member: Member): Promise<Tree> {
  const dir = mkdtempSync(join(tmpdir(), 'ensemble-disk-'));
  try {
    cpSync(join(member.dataDir, 'version-2'), join(dir, 'data', 'version-2'), { recursive: true });
    const server = await startServer('nodekeeper', { dir, port: await nextPort(), cfg: CFG });
    try {
      return await readTree(server.port);
    } finally {
      await server.stop('SIGKILL');
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
