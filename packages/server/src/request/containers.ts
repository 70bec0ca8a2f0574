// Deletes containers that were emptied and TTL nodes that were outlived, no faster than the configured rate.
// Source: ContainerManager of Apache ZooKeeper.

import type { DataTree } from '../tree/data-tree.js';
import type { OriginatingProcessor } from './originating.js';

export class ContainerManager {
  private readonly tree: DataTree;
  private readonly processor: OriginatingProcessor;
  private readonly maxNeverUsedMs: number;
  private due: string[] = [];
  /** Deletions on their way, with their zxids: the nodes are still there. */
  private readonly asked = new Map<string, number>();

  constructor(tree: DataTree, processor: OriginatingProcessor, maxNeverUsedMs: number) {
    this.tree = tree;
    this.processor = processor;
    this.maxNeverUsedMs = maxNeverUsedMs;
  }

  /** Looks for nodes to delete. `wallTime` in milliseconds since 1970. */
  collect(wallTime: number): void {
    if (this.due.length > 0) return;
    const { lastProcessedZxid } = this.tree;
    for (const [path, zxid] of this.asked) if (zxid <= lastProcessedZxid) this.asked.delete(path);
    for (const path of this.tree.expiredContainers(wallTime, this.maxNeverUsedMs))
      if (!this.asked.has(path)) this.due.push(path);
    this.due.reverse();
  }

  /** Deletes up to `count` of what was found; returns how many are left. */
  deleteSome(count: number): number {
    for (let i = 0; i < count; i++) {
      const path = this.due.pop();
      if (path === undefined) break;
      this.processor.deleteContainer(path);
      this.asked.set(path, this.processor.lastZxid);
    }
    return this.due.length;
  }
}
