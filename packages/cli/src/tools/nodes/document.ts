// The file that `export` writes and `import` reads: a subtree as JSON or YAML.

import type { Acl } from '@nodekeeper/client';
import { MAX_TTL, pathProblem } from '@nodekeeper/protocol';
import { aclText, parseAcl, parseAclEntry } from '../../shell/texts.js';
import { Failure } from '../output.js';
import type { WantedNode } from './changes.js';
import { isEphemeral, type TreeNode } from './subtree.js';

export interface DocumentNode {
  /** Below the root: `/` for the root itself. */
  path: string;
  /** Text, bytes in base64, or null for a node without data. */
  data: string | { base64: string } | null;
  /** `scheme:id:perms,…`, or a list where an id has a comma; not there if everybody may do everything. */
  acl?: string | string[];
  /** For new nodes; an export cannot know it, see {@link isEphemeral}. */
  container?: boolean;
  /** Likewise: milliseconds. */
  ttl?: number;
}

export interface TreeDocument {
  format: 'nodekeeper-tree/1';
  /** Where it was. */
  root: string;
  nodes: DocumentNode[];
}

const FORMAT = 'nodekeeper-tree/1';
const OPEN = 'world:anyone:cdrwa';

/** Ephemeral nodes belong to sessions and are left out; their number is returned. */
export function toDocument(root: string, nodes: readonly TreeNode[]): { document: TreeDocument; ephemerals: number } {
  const kept = nodes.filter(({ stat }) => !isEphemeral(stat));
  return { document: { format: FORMAT, root, nodes: kept.map(toNode) }, ephemerals: nodes.length - kept.length };
}

function toNode({ below, data, acl }: TreeNode): DocumentNode {
  const text = aclText(acl);
  const path = below === '' ? '/' : below;
  if (text === OPEN || text === '') return { path, data: dataOf(data) };
  const isList = acl.some(({ id }) => id?.includes(','));
  return { path, data: dataOf(data), acl: isList ? acl.map((one) => aclText([one])) : text };
}

function dataOf(data: Buffer | null): DocumentNode['data'] {
  if (data === null) return null;
  const text = data.toString('utf8');
  // Of lines that are blank the package for YAML writes what it reads as others.
  const isText = Buffer.from(text).equals(data) && !/^\s*\n\s*$/.test(text);
  return isText ? text : { base64: data.toString('base64') };
}

/**
 * Reads a document, whose nodes may stand in any order.
 * @param withAcl whether its ACLs are to be had
 * @throws Failure that names what is wrong
 */
export function fromDocument(value: unknown, withAcl: boolean): WantedNode[] {
  const document = value as Partial<TreeDocument> | null;
  if (typeof document !== 'object' || document?.format !== FORMAT || !Array.isArray(document.nodes)) {
    throw new Failure(`this is no export: it must have format: ${FORMAT}, and nodes`, 2);
  }
  const nodes = document.nodes.map((node, i) => fromNode(node, i, withAcl));
  const paths = new Set(nodes.map(({ below }) => below));
  if (paths.size !== nodes.length) throw new Failure('a path is there twice', 2);
  for (const path of paths) {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (path !== '' && !paths.has(parent)) throw new Failure(`${path}: its parent is not there`, 2);
  }
  return nodes.sort((a, b) => compare(a.below, b.below));
}

/** Parents before children. */
function compare(a: string, b: string): number {
  const [x, y] = [a.split('/'), b.split('/')];
  if (x.length !== y.length) return x.length - y.length;
  return a < b ? -1 : 1;
}

function fromNode(node: DocumentNode, index: number, withAcl: boolean): WantedNode {
  const fail = (what: string): never => {
    throw new Failure(`node ${index + 1} (${String(node?.path)}): ${what}`, 2);
  };
  if (typeof node !== 'object' || node === null || typeof node.path !== 'string' || !node.path.startsWith('/')) {
    return fail('path must begin with /');
  }
  const { path, data = null, acl, container, ttl, ...others } = node;
  const problem = pathProblem(path);
  if (problem !== null) return fail(problem);
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) return fail(`${unknown} is not known; a node has path, data, acl, container, ttl`);
  let bytes: Buffer | null = null;
  if (typeof data === 'string') bytes = Buffer.from(data);
  else if (data !== null) {
    if (typeof data.base64 !== 'string') return fail('data must be text, null, or { base64 }');
    bytes = Buffer.from(data.base64, 'base64');
    // Node takes out what it does not know, and reads the rest.
    if (withoutPadding(bytes.toString('base64')) !== withoutPadding(data.base64.replaceAll(/\s/g, '')))
      return fail('data.base64 is no base64');
  }
  if (ttl !== undefined && !(Number.isInteger(ttl) && ttl > 0 && ttl <= MAX_TTL))
    fail(`ttl must be a number of milliseconds, ${MAX_TTL} at most`);
  const parsed = readAcl(acl ?? OPEN, fail);
  const kind = ttl !== undefined ? { ttl } : container === true ? 'container' : 'persistent';
  return { below: path === '/' ? '' : path, data: bytes, acl: withAcl ? parsed : undefined, kind };
}

const withoutPadding = (base64: string): string => base64.replace(/=+$/, '');

function readAcl(acl: unknown, fail: (what: string) => never): Acl[] {
  if (typeof acl === 'string') return parseAcl(acl, fail);
  if (Array.isArray(acl) && acl.length > 0 && acl.every((one) => typeof one === 'string'))
    return acl.flatMap((one) => parseAclEntry(one, fail));
  return fail('acl must be scheme:id:perms,…, or a list of such');
}
