// Stat and data of many nodes in little memory: packed into shared blocks, and made into objects when they are asked for.
// As objects of their own they take about twice as much.

import type { NodeData, Stat } from '@nodekeeper/client';

// Stat: double czxid, mzxid, ctime, mtime, pzxid; long ephemeralOwner; int version, cversion, aversion, numChildren, dataLength
const STAT_SIZE = 68;
/** A block goes when no node in it is left, so it should hold few. */
const BLOCK_SIZE = 8 * 1024;

/** Where a node is in a block. */
export interface Packed {
  readonly block: Buffer;
  readonly at: number;
}

/** The length of data that is null. */
const NULL = -1;

/** Fills one block after the other. */
export class Packer {
  private block = Buffer.alloc(0);
  private used = 0;

  pack({ data, stat }: NodeData): Packed {
    const size = STAT_SIZE + (data?.length ?? 0);
    if (size > this.block.length - this.used) {
      this.block = Buffer.allocUnsafeSlow(Math.max(size, BLOCK_SIZE));
      this.used = 0;
    }
    const { block, used: at } = this;
    this.used += size;
    writeStat(block, at, stat);
    block.writeInt32LE(data?.length ?? NULL, at + 64);
    data?.copy(block, at + STAT_SIZE);
    return { block, at };
  }
}

function writeStat(block: Buffer, at: number, stat: Stat): void {
  block.writeDoubleLE(stat.czxid, at);
  block.writeDoubleLE(stat.mzxid, at + 8);
  block.writeDoubleLE(stat.ctime, at + 16);
  block.writeDoubleLE(stat.mtime, at + 24);
  block.writeDoubleLE(stat.pzxid, at + 32);
  block.writeBigInt64LE(stat.ephemeralOwner, at + 40);
  block.writeInt32LE(stat.version, at + 48);
  block.writeInt32LE(stat.cversion, at + 52);
  block.writeInt32LE(stat.aversion, at + 56);
  block.writeInt32LE(stat.numChildren, at + 60);
}

export function statOf({ block, at }: Packed): Stat {
  return {
    czxid: block.readDoubleLE(at),
    mzxid: block.readDoubleLE(at + 8),
    ctime: block.readDoubleLE(at + 16),
    mtime: block.readDoubleLE(at + 24),
    version: block.readInt32LE(at + 48),
    cversion: block.readInt32LE(at + 52),
    aversion: block.readInt32LE(at + 56),
    ephemeralOwner: block.readBigInt64LE(at + 40),
    dataLength: Math.max(0, block.readInt32LE(at + 64)),
    numChildren: block.readInt32LE(at + 60),
    pzxid: block.readDoubleLE(at + 32),
  };
}

export function mzxidOf({ block, at }: Packed): number {
  return block.readDoubleLE(at + 8);
}

export function pzxidOf({ block, at }: Packed): number {
  return block.readDoubleLE(at + 32);
}

export function numChildrenOf({ block, at }: Packed): number {
  return block.readInt32LE(at + 60);
}

/** A view of the block: the bytes are not to be changed. */
export function dataOf({ block, at }: Packed): Buffer | null {
  const length = block.readInt32LE(at + 64);
  if (length === NULL) return null;
  return block.subarray(at + STAT_SIZE, at + STAT_SIZE + length);
}
