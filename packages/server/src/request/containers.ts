// Deletes containers that were emptied and TTL nodes that were outlived, no faster than the configured rate.
// Source: ContainerManager of Apache ZooKeeper.

import type { DataTree, Expired } from '../tree/data-tree.js';
import type { OriginatingProcessor } from './originating.js';

/** What is left of the nodes that were found is gone on with so often. */
export const STEP_MS = 100;

export class ContainerManager {
  private readonly tree: DataTree;
  private readonly processor: OriginatingProcessor;
  private readonly maxNeverUsedMs: number;
  /** Deletions per millisecond, those that may be made now, and as of when. */
  private readonly rate: number;
  private allowed = 0;
  private countedAt = 0;
  private due: Expired[] = [];
  /** Deletions on their way, with their zxids: the nodes are still there. */
  private readonly asked = new Map<string, number>();

  constructor(tree: DataTree, processor: OriginatingProcessor, maxNeverUsedMs: number, maxPerMinute: number) {
    this.tree = tree;
    this.processor = processor;
    this.maxNeverUsedMs = maxNeverUsedMs;
    this.rate = maxPerMinute / 60_000;
  }

  /** Looks for nodes to delete. `wallTime` in milliseconds since 1970. */
  collect(wallTime: number): void {
    if (this.due.length > 0) return;
    const { lastProcessedZxid } = this.tree;
    for (const [path, zxid] of this.asked) if (zxid <= lastProcessedZxid) this.asked.delete(path);
    for (const node of this.tree.expiredContainers(wallTime, this.maxNeverUsedMs))
      if (!this.asked.has(node.path)) this.due.push(node);
    this.due.reverse();
  }

  /** Deletes what was found, as far as the rate allows by now: monotonic milliseconds. To be called every {@link STEP_MS}. */
  deleteSome(now: number): void {
    const atOnce = Math.max(1, this.rate * STEP_MS);
    this.allowed = Math.min(atOnce, this.allowed + (now - this.countedAt) * this.rate);
    this.countedAt = now;
    for (; this.allowed >= 1; this.allowed--) {
      const node = this.due.pop();
      if (node === undefined) return;
      this.processor.deleteContainer(node);
      this.asked.set(node.path, this.processor.lastZxid);
    }
  }
}
