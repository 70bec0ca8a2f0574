// `tools summary`: nodes and bytes below each node of a snapshot, as Apache's zkSnapshotRecursiveSummaryToolkit.sh does.

import { Failure, type Output } from '../output.js';
import { readSnapshot, walk } from './snapshot-tree.js';

/** @param maxDepth levels that are printed; 0 for all */
export async function runSummary(file: string, root: string, maxDepth: number, output: Output): Promise<void> {
  const snapshot = await readSnapshot(file);
  if (!snapshot.nodes.has(root)) throw new Failure(`Node does not exist: ${root}`, 1);
  const lines: string[][] = [];
  /** Of the nodes on the way to the present one. Their places are before what is below them, their sums are known after. */
  const way: { readonly own: string[]; nodes: number; bytes: number }[] = [];
  for (const { node, level, isBefore } of walk(snapshot, root)) {
    const { path, data, children } = node;
    if (isBefore) {
      const own: string[] = [];
      way.push({ own, nodes: 1, bytes: data?.length ?? 0 });
      if (children.length > 0 && (maxDepth === 0 || level <= maxDepth)) lines.push(own);
      continue;
    }
    const { own, nodes, bytes } = way.pop() as (typeof way)[number];
    const parent = way.at(-1);
    if (parent !== undefined) {
      parent.nodes += nodes;
      parent.bytes += bytes;
    }
    const tab = '--'.repeat(level);
    if (output.json) own.push(JSON.stringify({ path, level, children: nodes - 1, data: bytes }));
    else own.push(`${tab} ${path}`, `${tab}   children: ${nodes - 1}`, `${tab}   data: ${bytes}`);
  }
  for (const line of lines.flat()) {
    output.line(line);
    await output.taken();
  }
}
