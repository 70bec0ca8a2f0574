// `tools tree`, `tools find` and `tools diff`: what is there, and where two places differ.

import { bareHex } from '@nodekeeper/server/java-text';
import { aclText, statJson } from '../../shell/texts.js';
import { Failure, type Output, printable } from '../output.js';
import { sameAcl, sameData } from './changes.js';
import type { Place } from './place.js';
import { isEphemeral, joined, reading, readSubtree, type TreeNode } from './subtree.js';

/** Data that is shown, in characters. */
const SHOWN = 60;

export async function runTree(
  { client, path }: Place,
  { depth, data = false }: { readonly depth?: number; readonly data?: boolean },
  output: Output,
): Promise<void> {
  const nodes = await readSubtree(client, path, {
    passUnreadable: true,
    onRead: reading(output),
    ...(depth === undefined ? {} : { depth }),
  });
  if (output.json) {
    for (const node of nodes) output.value({ path: joined(path, node.below), ...summary(node) });
    failIfUnreadable(nodes);
    return;
  }
  const byPath = new Map(nodes.map((node) => [node.below, node]));
  /** What is still to be shown, the next one last: a tree can be too deep for recursion. */
  const rest: { readonly node: TreeNode; readonly name: string; readonly before: string; readonly between: string }[] =
    [];
  const root = byPath.get('');
  if (root !== undefined) rest.push({ node: root, name: path, before: '', between: '' });
  for (let one = rest.pop(); one !== undefined; one = rest.pop()) {
    const { node, name, before, between } = one;
    output.line(`${before}${name}${labels(node)}${data ? shownData(node.data) : ''}`);
    const below = node.children
      .map((child) => byPath.get(`${node.below}/${child}`))
      .filter((child) => child !== undefined);
    for (const [i, child] of below.reverse().entries()) {
      const isLast = i === 0;
      rest.push({
        node: child,
        name: child.below.slice(child.below.lastIndexOf('/') + 1),
        before: `${between}${isLast ? '└── ' : '├── '}`,
        between: `${between}${isLast ? '    ' : '│   '}`,
      });
    }
  }
  output.note(`${nodes.length} nodes, ${nodes.reduce((sum, { stat }) => sum + stat.dataLength, 0)} bytes`);
  failIfUnreadable(nodes);
}

/** What could be read has been printed. */
function failIfUnreadable(nodes: readonly TreeNode[]): void {
  const count = nodes.filter(({ isUnreadable }) => isUnreadable).length;
  if (count > 0)
    throw new Failure(
      `Insufficient permission : ${count} of ${nodes.length} nodes cannot be read, nor what is below them`,
    );
}

function labels({ stat, isUnreadable }: TreeNode): string {
  if (isUnreadable) return ' [cannot be read]';
  return isEphemeral(stat) ? ` [ephemeral 0x${bareHex(stat.ephemeralOwner)}]` : '';
}

function shownData(data: Buffer | null): string {
  if (data === null || data.length === 0) return '';
  const text = data.toString('utf8').replace(/\s+/g, ' ');
  return ` = ${printable(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)}`;
}

function summary({ stat, isUnreadable }: TreeNode): Record<string, unknown> {
  if (isUnreadable) return { problem: 'cannot be read' };
  return { ephemeral: isEphemeral(stat), bytes: stat.dataLength, stat: statJson(stat) };
}

export interface FindOptions {
  /** Pattern of the name, with * and ?. */
  readonly name?: string;
  /** Pattern of the path, with * and ?, where * also stands for a slash. */
  readonly path?: string;
  /** Regular expression that the data contains. */
  readonly data?: string;
  /** Ephemeral nodes only. */
  readonly ephemeral?: boolean;
  /** Session id of the owner, as 0x…. */
  readonly owner?: string;
  /** More bytes than this. */
  readonly larger?: number;
  /** Changed after, or before, this time: a date, or a duration back from now as 5m, 2h, 3d. */
  readonly newer?: string;
  readonly older?: string;
  /** Without children. */
  readonly leaf?: boolean;
}

export async function runFind({ client, path }: Place, options: FindOptions, output: Output): Promise<void> {
  const isWanted = filterOf(options);
  const nodes = await readSubtree(client, path, { passUnreadable: true, onRead: reading(output) });
  for (const node of nodes) {
    const at = joined(path, node.below);
    if (!isWanted(node, at)) continue;
    if (output.json) output.value({ path: at, ...summary(node) });
    else output.line(at);
    if (node.isUnreadable && !output.json) output.note(`${at} cannot be read`);
  }
  failIfUnreadable(nodes);
}

const KNOWN_BY_READING: ReadonlySet<string> = new Set([
  'data',
  'ephemeral',
  'owner',
  'larger',
  'newer',
  'older',
  'leaf',
]);

/** @throws Failure if an option cannot be used */
export function filterOf(options: FindOptions, now = Date.now()): (node: TreeNode, path: string) => boolean {
  const tests: ((node: TreeNode, path: string) => boolean)[] = [];
  const { name, path: pattern, data, ephemeral, owner, larger, newer, older, leaf } = options;
  if (name !== undefined) {
    const expression = glob(name);
    tests.push((_, path) => expression.test(path.slice(path.lastIndexOf('/') + 1)));
  }
  if (pattern !== undefined) {
    const expression = glob(pattern);
    tests.push((_, path) => expression.test(path));
  }
  if (data !== undefined) {
    const expression = regularExpression(data);
    tests.push((node) => expression.test(node.data?.toString('utf8') ?? ''));
  }
  if (ephemeral === true) tests.push(({ stat }) => isEphemeral(stat));
  if (owner !== undefined) {
    if (!/^(0x[0-9a-f]+|\d+)$/i.test(owner)) throw new Failure(`--owner ${owner}: a session id as 0x…`, 2);
    const id = BigInt.asIntN(64, BigInt(owner));
    tests.push(({ stat }) => stat.ephemeralOwner === id);
  }
  if (larger !== undefined) tests.push(({ stat }) => stat.dataLength > larger);
  if (newer !== undefined) {
    const time = timeOf(newer, now);
    tests.push(({ stat }) => stat.mtime > time);
  }
  if (older !== undefined) {
    const time = timeOf(older, now);
    tests.push(({ stat }) => stat.mtime < time);
  }
  if (leaf === true) tests.push(({ children }) => children.length === 0);
  // Of one that cannot be read no more than the path is known.
  const asked = Object.entries(options).filter(([, value]) => value !== undefined);
  const isByPath = asked.every(([key]) => !KNOWN_BY_READING.has(key));
  return (node, path) => (isByPath || !node.isUnreadable) && tests.every((test) => test(node, path));
}

function glob(pattern: string): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${escaped}$`, 's');
}

function regularExpression(text: string): RegExp {
  try {
    return new RegExp(text, 's');
  } catch (error) {
    throw new Failure(`--data ${text}: ${error instanceof Error ? error.message : error}`, 2);
  }
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function timeOf(text: string, now: number): number {
  const duration = /^(\d+)([smhd])$/.exec(text);
  if (duration !== null) return now - Number(duration[1]) * (UNITS[duration[2] ?? 's'] ?? 0);
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new Failure(`${text} is neither a time, as 2026-01-31T12:00Z, nor a duration, as 5m`, 2);
  return time;
}

export interface DiffOptions {
  readonly acl: boolean;
  /** Whether ephemeral nodes are looked at. */
  readonly ephemerals: boolean;
  /** Show the data of both. */
  readonly data: boolean;
}

/** Resolves with whether there is a difference. */
export async function runDiff(left: Place, right: Place, options: DiffOptions, output: Output): Promise<boolean> {
  const { acl, data, ephemerals } = options;
  const counts = [0, 0];
  const [a, b] = await Promise.all(
    [left, right].map(({ client, path }, i) => {
      const onRead = (count: number): void => {
        counts[i] = count;
        output.progress((counts[0] ?? 0) + (counts[1] ?? 0), undefined, 'nodes read');
      };
      return readSubtree(client, path, { acl, onRead });
    }),
  );
  const byPath = (nodes: readonly TreeNode[] = []): Map<string, TreeNode> =>
    new Map(nodes.filter(({ stat }) => ephemerals || !isEphemeral(stat)).map((node) => [node.below, node]));
  const [there, here] = [byPath(a), byPath(b)];
  let isDifferent = false;
  const tell = (sign: '-' | '+' | '~', below: string, what: string, more: Record<string, unknown> = {}): void => {
    isDifferent = true;
    if (output.json) output.value({ path: below || '/', change: what, ...more });
    else output.line(`${sign} ${below || '/'}${sign === '~' ? ` ${what}` : ''}`);
  };
  for (const below of [...new Set([...there.keys(), ...here.keys()])].sort()) {
    const [l, r] = [there.get(below), here.get(below)];
    if (r === undefined) tell('-', below, 'only in the first');
    else if (l === undefined) tell('+', below, 'only in the second');
    else compareNodes(l, r, { acl, data }, (what, more) => tell('~', below, what, more), output);
  }
  return isDifferent;
}

function compareNodes(
  l: TreeNode,
  r: TreeNode,
  { acl, data }: Pick<DiffOptions, 'acl' | 'data'>,
  tell: (what: string, more?: Record<string, unknown>) => void,
  output: Output,
): void {
  if (!sameData(l.data, r.data)) {
    tell('data', { first: l.data?.toString('base64') ?? null, second: r.data?.toString('base64') ?? null });
    if (data && !output.json)
      for (const [sign, node] of [
        ['<', l],
        ['>', r],
      ] as const)
        output.line(`  ${sign} ${printable(node.data?.toString('utf8') ?? 'null')}`);
  }
  if (acl && !sameAcl(l.acl, r.acl)) {
    tell('acl', { first: aclText(l.acl), second: aclText(r.acl) });
    if (data && !output.json)
      for (const [sign, node] of [
        ['<', l],
        ['>', r],
      ] as const)
        output.line(`  ${sign} ${aclText(node.acl)}`);
  }
  if (isEphemeral(l.stat) !== isEphemeral(r.stat)) tell(`ephemeral in the ${isEphemeral(l.stat) ? 'first' : 'second'}`);
}
