// The oracle of two servers that vote, as neither is a majority without the other: a file on each one's disk, kept by whoever watches
// both. The one whose file begins with 1 may decide alone while the other is away; never may both. Source: QuorumOracleMaj of
// Apache ZooKeeper.

import type { Membership } from './membership.js';
import type { Disk } from './storage/disk.js';

export class Oracle {
  private readonly disk: Disk;
  private readonly path: string | undefined;
  private readonly membership: Membership;

  /** @param path oraclePath; undefined where there is no oracle */
  constructor(disk: Disk, path: string | undefined, membership: Membership) {
    this.disk = disk;
    this.path = path;
    this.membership = membership;
  }

  /** Whether it has a say: with more voters, or fewer, a majority decides. */
  get counts(): boolean {
    return this.path !== undefined && this.membership.isVoter && this.membership.ofTwo;
  }

  /** Whether this server may decide without the other one now. A file that cannot be read says no. */
  get grants(): boolean {
    if (this.path === undefined || !this.counts) return false;
    try {
      return this.disk.readText(this.path)?.startsWith('1') ?? false;
    } catch {
      return false;
    }
  }

  /** What a server without the other one waits for. */
  toString(): string {
    return this.counts ? `, or for a 1 in ${this.path}` : '';
  }
}
