// `tools compare`: two snapshots by the size of their subtrees, as Apache's zkSnapshotComparer.sh does.

import { createInterface } from 'node:readline';
import type { Output } from '../output.js';
import { readSnapshot, type Snapshot, walk } from './snapshot-tree.js';

export interface CompareOptions {
  readonly left: string;
  readonly right: string;
  /** Smaller differences are not told: of bytes, and of nodes. */
  readonly bytes: number;
  readonly nodes: number;
  readonly debug?: boolean;
  readonly interactive?: boolean;
}

interface Measured {
  readonly path: string;
  /** Of its data and that of all below. */
  readonly size: number;
  /** Nodes below. */
  readonly count: number;
}

interface Tree {
  readonly levels: readonly (readonly Measured[])[];
  readonly byPath: ReadonlyMap<string, Measured>;
  readonly children: ReadonlyMap<string, readonly string[]>;
}

export async function runCompare(options: CompareOptions, output: Output): Promise<void> {
  if (!output.json) output.line('Successfully parsed options!');
  const [left, right] = [await load(options.left, output), await load(options.right, output)];
  if (!output.json) for (const tree of [left, right]) describe(tree, output);
  const depth = Math.max(left.levels.length, right.levels.length);
  const told = new Teller(options, output);
  if (options.interactive === true) {
    await dialogue(left, right, depth, told, output);
  } else {
    told.thresholds();
    for (let i = 0; i < depth; i++) {
      if (!output.json) output.line(`Analysis for depth ${i}`);
      await told.compare(left.levels[i] ?? [], right.levels[i] ?? []);
    }
  }
  if (!output.json) output.line('All layers compared.');
}

async function load(path: string, output: Output): Promise<Tree> {
  const began = performance.now();
  const snapshot = await readSnapshot(path);
  const read = performance.now();
  const tree = measure(snapshot);
  if (!output.json) {
    output.line(`Deserialized snapshot in ${snapshot.file} in ${((read - began) / 1000).toFixed(6)} seconds`);
    output.line(`Processed data tree in ${((performance.now() - read) / 1000).toFixed(6)} seconds`);
  }
  return tree;
}

/** The root's path is empty, as Apache's comparer has it. */
function measure(snapshot: Snapshot): Tree {
  const levels: Measured[][] = [];
  const byPath = new Map<string, Measured>();
  const children = new Map<string, readonly string[]>();
  /** Sums of the nodes on the way to the present one. */
  const way: { size: number; count: number }[] = [];
  for (const { node, level, isBefore } of walk(snapshot, '/')) {
    if (isBefore) {
      way.push({ size: node.data?.length ?? 0, count: 0 });
      continue;
    }
    const { size, count } = way.pop() as (typeof way)[number];
    const parent = way.at(-1);
    if (parent !== undefined) {
      parent.size += size;
      parent.count += count + 1;
    }
    const path = node.path === '/' ? '' : node.path;
    const measured = { path, size, count };
    while (levels.length <= level) levels.push([]);
    levels[level]?.push(measured);
    byPath.set(path, measured);
    children.set(path, node.children);
  }
  for (const level of levels) level.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { levels, byPath, children };
}

function describe({ levels, byPath }: Tree, output: Output): void {
  output.line(`Node count: ${byPath.size}`);
  output.line(`Total size: ${byPath.get('')?.size ?? 0}`);
  output.line(`Max depth: ${levels.length}`);
  for (const [depth, level] of levels.entries()) output.line(`Count of nodes at depth ${depth}: ${level.length}`);
  output.line('');
}

class Teller {
  private readonly options: CompareOptions;
  private readonly output: Output;

  constructor(options: CompareOptions, output: Output) {
    this.options = options;
    this.output = output;
  }

  thresholds(): void {
    if (this.output.json) return;
    const { bytes, nodes } = this.options;
    this.output.line(
      `Printing analysis for nodes difference larger than ${bytes} bytes or node count difference larger than ${nodes}.`,
    );
  }

  /** Both lists are sorted by path. */
  async compare(left: readonly Measured[], right: readonly Measured[]): Promise<void> {
    let [l, r] = [0, 0];
    while (l < left.length || r < right.length) {
      await this.output.taken();
      const [a, b] = [left[l], right[r]];
      if (a !== undefined && b !== undefined) this.debug(`Comparing ${a.path} to ${b.path}`);
      if (b === undefined || (a !== undefined && a.path < b.path)) {
        if (b !== undefined) this.debug('left is less');
        this.single(a as Measured, 'left');
        l++;
      } else if (a === undefined || a.path > b.path) {
        if (a !== undefined) this.debug('right is less');
        this.single(b, 'right');
        r++;
      } else {
        this.debug('same');
        this.both(a, b);
        l++;
        r++;
      }
    }
  }

  private single({ path, size, count }: Measured, side: 'left' | 'right'): void {
    if (this.isLarge(size, count)) {
      if (this.output.json) this.output.value({ path, only: side, bytes: size, nodes: count });
      else
        this.output.line(
          `Node ${path} found only in ${side} tree. Descendant size: ${size}. Descendant count: ${count}`,
        );
    } else this.filtered(`Filtered ${side} node ${path} of size ${size}`);
  }

  private both(a: Measured, b: Measured): void {
    const [bytes, nodes] = [b.size - a.size, b.count - a.count];
    if (this.isLarge(Math.abs(bytes), Math.abs(nodes))) {
      if (this.output.json) this.output.value({ path: a.path, bytes, nodes });
      else this.output.line(`Node ${a.path} found in both trees. Delta: ${bytes} bytes, ${nodes} descendants`);
    } else this.filtered(`Filtered node ${a.path} of left size ${a.size}, right size ${b.size}`);
  }

  private isLarge(bytes: number, nodes: number): boolean {
    return bytes > this.options.bytes || nodes > this.options.nodes;
  }

  private filtered(text: string): void {
    if (this.options.debug === true || this.options.interactive === true) this.say(text);
  }

  private debug(text: string): void {
    if (this.options.debug === true) this.say(text);
  }

  private say(text: string): void {
    if (!this.output.json) this.output.line(text);
  }
}

async function dialogue(left: Tree, right: Tree, depth: number, told: Teller, output: Output): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const level = (tree: Tree, at: number): readonly Measured[] => tree.levels[at] ?? [];
  for (let current = 0; current < depth; ) {
    output.line(`Current depth is ${current}`);
    output.line('- Press enter to move to print current depth layer;');
    output.line('- Type a number to jump to and print all nodes at a given depth;');
    output.line("- Enter an ABSOLUTE path to print the immediate subtree of a node. Path must start with '/'.");
    const { value, done } = await lines.next();
    if (done) return;
    const input = String(value).trim();
    told.thresholds();
    if (/^\d+$/.test(input) && Number(input) >= depth) {
      output.line(`Depth must be in range [0, ${depth - 1}]`);
      continue;
    }
    if (input.startsWith('/')) {
      output.line(`Analysis for node ${input}`);
      await compareBelow(left, right, input === '/' ? '' : input, told, output);
    } else if (/^\d*$/.test(input)) {
      if (input !== '') current = Number(input);
      output.line(`Analysis for depth ${current}`);
      await told.compare(level(left, current), level(right, current));
      if (input === '') current++;
    } else {
      const range = `Depth must be in range [0, ${depth - 1}]`;
      output.line(`Input ${input} is not valid. ${range}. Path must be an absolute path which starts with '/'.`);
    }
    output.line('');
  }
}

async function compareBelow(left: Tree, right: Tree, path: string, told: Teller, output: Output): Promise<void> {
  const below = (tree: Tree): Measured[] =>
    (tree.children.get(path) ?? []).map((child) => tree.byPath.get(child)).filter((one) => one !== undefined);
  if (!left.byPath.has(path) && !right.byPath.has(path)) {
    output.line(`Path ${path} is neither found in left tree nor right tree.`);
  } else await told.compare(below(left), below(right));
}
