// `tools summary`: nodes and bytes below each node of a snapshot, as Apache's zkSnapshotRecursiveSummaryToolkit.sh does.

import { Failure, type Output } from '../output.js';
import { readSnapshot } from './snapshot-tree.js';

/** @param maxDepth levels that are printed; 0 for all */
export async function runSummary(file: string, root: string, maxDepth: number, output: Output): Promise<void> {
  const { nodes } = await readSnapshot(file);
  if (!nodes.has(root)) throw new Failure(`Node does not exist: ${root}`, 1);
  const lines: string[][] = [];
  const visit = (path: string, level: number): { nodes: number; bytes: number } => {
    const node = nodes.get(path);
    const sum = { nodes: 1, bytes: node?.data?.length ?? 0 };
    const children = node?.children ?? [];
    if (children.length === 0) return sum;
    const isShown = maxDepth === 0 || level <= maxDepth;
    const own: string[] = [];
    // Its place is before what is below it, its sums are known after.
    if (isShown) lines.push(own);
    for (const child of children) {
      const below = visit(child, level + 1);
      sum.nodes += below.nodes;
      sum.bytes += below.bytes;
    }
    if (output.json && isShown) own.push(JSON.stringify({ path, level, children: sum.nodes - 1, data: sum.bytes }));
    const tab = '--'.repeat(level);
    if (!output.json) own.push(`${tab} ${path}`, `${tab}   children: ${sum.nodes - 1}`, `${tab}   data: ${sum.bytes}`);
    return sum;
  };
  visit(root, 0);
  for (const line of lines.flat()) output.line(line);
}
