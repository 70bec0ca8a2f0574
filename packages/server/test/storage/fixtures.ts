// The captured data directories of Apache ZooKeeper servers, copied to where a test may change them.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Database } from '../../dist/database.js';
import { nodeDisk, openDataDir, type Recovered, recover } from '../../dist/storage/index.js';

export const FIXTURES = fileURLToPath(new URL('../../test/fixtures/storage/', import.meta.url));
export const MAX_ENTRY = 2 * 0xfffff;

/** A directory that goes when the test ends. */
export function temporaryDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A data directory with the content of the fixture's `version-2`. */
export function copyOf(t: TestContext, fixture: string): string {
  const dir = temporaryDir(t);
  cpSync(join(FIXTURES, fixture, 'version-2'), join(dir, 'version-2'), { recursive: true });
  return dir;
}

export function newDatabase(): Database {
  return new Database({ seed: 1, extendedTypesEnabled: true, digestEnabled: true });
}

export interface Result {
  db: Database;
  recovered: Recovered;
  warnings: string[];
}

/** Recovers a data directory as a server would. */
export async function recoverDir(dir: string): Promise<Result> {
  const db = newDatabase();
  const warnings: string[] = [];
  const dirs = openDataDir(nodeDisk, dir, dir, true);
  const recovered = await recover(nodeDisk, dirs, db, {
    maxEntry: MAX_ENTRY,
    trustEmptySnapshot: false,
    onWarning: (message) => warnings.push(message),
  });
  db.tree.finishLoading();
  return { db, recovered, warnings };
}

export interface Expected {
  lastZxid: string;
  treeDigest: { value: string };
  sessions: { id: string; timeoutMs: number }[];
  nodes: {
    path: string;
    data: string | null;
    stat: Record<'czxid' | 'mzxid' | 'pzxid' | 'ephemeralOwner', string> &
      Record<'ctime' | 'mtime' | 'version' | 'cversion' | 'aversion' | 'dataLength' | 'numChildren', number>;
    acl: { perms: number; scheme: string; id: string }[];
    children: string[];
    persisted: { cversion: number; ephemeralOwner: string };
  }[];
}

export function expectedOf(fixture: string): Expected {
  return JSON.parse(readFileSync(join(FIXTURES, fixture, 'expected.json'), 'utf8')) as Expected;
}
