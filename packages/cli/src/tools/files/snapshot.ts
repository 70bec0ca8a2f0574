// `tools snapshot`: prints the nodes and sessions of a snapshot, as Apache's zkSnapShotToolkit.sh does.

import { OPEN_ACL_UNSAFE } from '@nodekeeper/protocol';
import { bareHex, javaDate } from '@nodekeeper/server/java-text';
import { aclText } from '../../shell/texts.js';
import { Failure, type Output } from '../output.js';
import { readSnapshot, type Snapshot, type SnapshotNode, walk } from './snapshot-tree.js';

/** Stands for the ACL that allows everything to everybody, which is not in the table. */
const OPEN_ACL_ID = -1;

export interface SnapshotOptions {
  /** Print the data, in base64, instead of its length. */
  readonly data?: boolean;
  /** One array for ncdu: names and sizes. */
  readonly ncdu?: boolean;
}

export async function runSnapshot(
  path: string,
  { data = false, ncdu = false }: SnapshotOptions,
  output: Output,
): Promise<void> {
  if (data && ncdu) throw new Failure('Cannot specify both data dump (-d) and json mode (-json) in same call', 2);
  const snapshot = await readSnapshot(path);
  if (ncdu) await printSizes(snapshot, output);
  else if (output.json) await printValues(snapshot, output);
  else await printDetails(snapshot, data, output);
}

function* depthFirst({ nodes }: Snapshot, root = '/'): Generator<SnapshotNode> {
  const stack = [root];
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    const node = nodes.get(path);
    if (node === undefined) continue;
    yield node;
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i] as string);
  }
}

async function printDetails(snapshot: Snapshot, withData: boolean, output: Output): Promise<void> {
  const { nodes, sessions, digest, zxid } = snapshot;
  // Apache's server has the root twice, as `` and as `/`.
  output.line(`ZNode Details (count=${nodes.size + 1}):`);
  let last = BigInt(zxid);
  const ephemerals = new Map<bigint, number>();
  for (const { path, data, stat } of depthFirst(snapshot)) {
    output.line('----');
    output.line(path);
    for (const line of statLines(stat)) output.line(line);
    output.line(withData ? `  data = ${data?.toString('base64') ?? ''}` : `  dataLength = ${data?.length ?? 0}`);
    for (const one of [stat.mzxid, stat.pzxid]) if (one > last) last = one;
    ephemerals.set(stat.ephemeralOwner, (ephemerals.get(stat.ephemeralOwner) ?? 0) + 1);
    await output.taken();
  }
  output.line('----');
  output.line('Session Details (sid, timeout, ephemeralCount):');
  for (const [id, timeout] of sessions) output.line(`${paddedHex(id)}, ${timeout}, ${ephemerals.get(id) ?? 0}`);
  if (digest !== undefined)
    output.line(`Target zxid digest is: ${bareHex(digest.zxid)}, ${BigInt.asIntN(64, digest.value)}`);
  output.line('----');
  output.line(`Last zxid: 0x${bareHex(last)}`);
}

function statLines(stat: SnapshotNode['stat']): string[] {
  return [
    `  cZxid = ${paddedHex(stat.czxid)}`,
    `  ctime = ${javaDate(stat.ctime)}`,
    `  mZxid = ${paddedHex(stat.mzxid)}`,
    `  mtime = ${javaDate(stat.mtime)}`,
    `  pZxid = ${paddedHex(stat.pzxid)}`,
    `  cversion = ${stat.cversion}`,
    `  dataVersion = ${stat.version}`,
    `  aclVersion = ${stat.aversion}`,
    `  ephemeralOwner = ${paddedHex(stat.ephemeralOwner)}`,
  ];
}

/** `0x` and at least fourteen digits. */
function paddedHex(value: bigint): string {
  return `0x${bareHex(value).padStart(14, '0')}`;
}

async function printValues(snapshot: Snapshot, output: Output): Promise<void> {
  const { acls, sessions, digest, zxid } = snapshot;
  output.value({
    zxid: `0x${bareHex(zxid)}`,
    sessions: [...sessions].map(([id, timeout]) => ({ id: `0x${bareHex(id)}`, timeout })),
    ...(digest === undefined ? {} : { digest: { zxid: `0x${bareHex(digest.zxid)}`, value: digest.value.toString() } }),
  });
  for (const { path, data, stat, aclId } of depthFirst(snapshot)) {
    const ids = Object.entries(stat).map(([key, value]) => [
      key,
      typeof value === 'bigint' ? `0x${bareHex(value)}` : value,
    ]);
    output.value({
      path,
      data: data?.toString('base64') ?? null,
      acl: aclText(aclId === OPEN_ACL_ID ? OPEN_ACL_UNSAFE : (acls.get(aclId) ?? [])),
      ...Object.fromEntries(ids),
    });
    await output.taken();
  }
}

/** An array for each node with children: first its own sizes, then what is below it. Printed as it is found: it can be long, and deep. */
async function printSizes(snapshot: Snapshot, output: Output): Promise<void> {
  let number = 1000;
  const head = { progname: 'nodekeeper', progver: '1', timestamp: Date.now() };
  output.part(`[1,0,${JSON.stringify(head)}`);
  for (const { node, isBefore } of walk(snapshot, '/')) {
    const { path, data, children } = node;
    const isDirectory = children.length > 0;
    if (isBefore) {
      const size = data?.length ?? 0;
      const name = path === '/' ? path : path.slice(path.lastIndexOf('/') + 1);
      const sizes = { name, asize: size, dsize: size, dev: 0, ino: ++number };
      output.part(`,${isDirectory ? '[' : ''}${JSON.stringify(sizes)}`);
    } else if (isDirectory) output.part(']');
    await output.taken();
  }
  output.line(']');
}
