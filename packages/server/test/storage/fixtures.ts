// The captured data directories of Apache ZooKeeper servers, copied to where a test may change them.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Acl, JuteWriter, writeAclList } from '@nodekeeper/protocol';
import { Database } from '../../dist/database.js';
import { ADLER_START, adler32 } from '../../dist/storage/adler32.js';
import { nodeDisk, openDataDir, type Recovered, recover } from '../../dist/storage/index.js';
import { SNAPSHOT_MAGIC, SNAPSHOT_VERSION } from '../../dist/storage/snapshot-reader.js';
import type { SnapshotContent } from '../../dist/storage/snapshot-writer.js';
import { LOG_MAGIC, LOG_VERSION, LogBatch } from '../../dist/storage/txn-log.js';
import type { SnapshotSource } from '../../dist/tree/snapshot-source.js';

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
  /** Nodes without an access control list. */
  unlisted: number;
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
  return { db, recovered, warnings, unlisted: db.tree.finishLoading() };
}

export interface SnapshotNode {
  readonly path: string;
  readonly data?: string;
  /** The number of its access control list; open if not given. */
  readonly acl?: number;
}

/** What a snapshot writer gets from the source while something else goes on before each slice of about `bytes`. */
export function whileChanging(source: SnapshotSource, change: () => void, bytes: () => number): SnapshotContent {
  return {
    zxid: source.zxid,
    sessions: () => source.sessions(),
    acls: () => source.acls(),
    digest: () => source.digest(),
    writeNodes: (w) => {
      change();
      return source.writeNodes(w, bytes());
    },
  };
}

/** A snapshot of these nodes, in file form, as a server of Apache's would write it. */
export function snapshotOf(
  acls: readonly (readonly [number, readonly Acl[]])[],
  nodes: readonly SnapshotNode[],
): Buffer {
  const w = new JuteWriter();
  w.int(SNAPSHOT_MAGIC).int(SNAPSHOT_VERSION).long(-1n).int(0).int(acls.length);
  for (const [number, list] of acls) {
    w.long(BigInt(number));
    writeAclList(w, list);
  }
  for (const { path, data = '', acl = -1 } of nodes) {
    w.string(path).buffer(Buffer.from(data)).long(BigInt(acl));
    for (let word = 0; word < 15; word++) w.int(0);
  }
  w.string('/');
  const body = Buffer.from(w.bytes());
  return Buffer.concat([
    body,
    new JuteWriter()
      .long(BigInt(adler32(ADLER_START, body, 0, body.length)))
      .string('/')
      .bytes(),
  ]);
}

/** A log of these entries, the first with the given zxid. */
export function logOf(zxid: number, entries: readonly Buffer[]): Buffer {
  const batch = new LogBatch();
  entries.forEach((entry, i) => {
    batch.append(entry, zxid + i);
  });
  const header = Buffer.alloc(16);
  header.writeInt32BE(LOG_MAGIC, 0);
  header.writeInt32BE(LOG_VERSION, 4);
  return Buffer.concat([header, batch.bytes()]);
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
