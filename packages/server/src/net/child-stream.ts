// A reply that lists very many children, or some with very long names, sent piece by piece: the list is that of the moment it was
// asked for, whatever is created or deleted meanwhile, and it takes no more memory than four bytes a child and a piece.

import { ErrorCode } from '@nodekeeper/protocol';
import { writeName } from '../request/reads.js';
import { REPLY_HEAD, ReplyBuffer } from '../request/reply-buffer.js';
import { childrenInOrder, MOST_ORDERED } from '../tree/child-order.js';
import { F, type Hold, type NodeId, type NodeStore } from '../tree/node-store.js';
import type { ExtendedTypes } from '../tree/owner.js';

const PIECE_NAMES = 512;
const PIECE_BYTES = 64 * 1024;

export class ChildStream {
  private readonly store: NodeStore;
  private readonly ids: Int32Array;
  private readonly prefix: number;
  private readonly stat: Buffer;
  private readonly hold: Hold;
  private next = 0;

  /**
   * Begins the reply in `out`: header and count. From now on the names stay readable until {@link end}.
   * @param giveUp has to end it: too much is kept for it
   */
  constructor(
    out: ReplyBuffer,
    store: NodeStore,
    node: NodeId,
    xid: number,
    zxid: number,
    withStat: boolean,
    extendedTypes: ExtendedTypes,
    giveUp: () => void,
  ) {
    this.store = store;
    this.ids = childList(store, node);
    this.prefix = store.namePrefix(node);
    const stat = new ReplyBuffer(68);
    if (withStat) stat.stat(store, node, extendedTypes);
    this.stat = stat.buf.subarray(0, stat.pos);
    this.hold = store.hold(giveUp);
    const start = out.begin(xid, zxid, ErrorCode.Ok);
    out.int(this.ids.length);
    const length = REPLY_HEAD - 4 + 4 + this.ids.length * 4 + store.get(node, F.childNameBytes) + this.stat.length;
    out.intAt(start, length);
  }

  /** Writes the next piece; false when the reply is complete. */
  write(out: ReplyBuffer): boolean {
    const end = Math.min(this.next + PIECE_NAMES, this.ids.length);
    const full = out.pos + PIECE_BYTES;
    while (this.next < end && out.pos < full) writeName(out, this.store, this.ids[this.next++] as number, this.prefix);
    if (this.next < this.ids.length) return true;
    out.raw(this.stat, 0, this.stat.length);
    return false;
  }

  /** Lets go of the names. To be called once, complete or not. */
  end(): void {
    this.store.unhold(this.hold);
  }
}

/** A copy of the ids of the children, in order unless they are too many. */
function childList(store: NodeStore, node: NodeId): Int32Array {
  const count = store.get(node, F.numChildren);
  return count > MOST_ORDERED ? store.children(node) : childrenInOrder(store, node).slice(0, count);
}
