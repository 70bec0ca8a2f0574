// A snapshot's body as a SNAP carries it: int count and sessions (long id, int timeout); int count and ACLs (long number,
// vector<ACL>); nodes (ustring path, buffer data, long ACL number, 60 bytes of Stat); the path `/`; the text BenWasHere.

import {
  type Acl,
  JuteReader,
  type JuteWriter,
  LARGEST_MAX_LENGTH,
  readAclList,
  writeAclList,
} from '@nodekeeper/protocol';

const SIGNATURE = 'BenWasHere';
const STAT = 60;

/** What the body is made from; a database's snapshot gives it. */
export interface BodySource {
  sessions(): Iterable<readonly [bigint, number]>;
  acls(): Iterable<readonly [number, readonly Acl[]]>;
  /** Appends nodes until about `bytes` are written; false when all are out. */
  writeNodes(w: JuteWriter, bytes: number): boolean;
}

/** What a received body is loaded into. */
export interface BodySink {
  session(id: bigint, timeoutMs: number): void;
  acl(id: number, list: readonly Acl[]): void;
  node(
    buf: Buffer,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    aclId: number,
    stat: number,
  ): void;
}

/** The body in pieces of about `bytes`, each valid until the next is asked for. */
export function* bodyPieces(source: BodySource, w: JuteWriter, bytes: number): Generator<Buffer> {
  w.clear();
  const sessions = [...source.sessions()];
  w.int(sessions.length);
  for (const [id, timeout] of sessions) {
    w.long(id).int(timeout);
    if (w.pos > bytes) yield* piece(w);
  }
  const acls = [...source.acls()];
  w.int(acls.length);
  for (const [id, list] of acls) {
    w.long53(id);
    writeAclList(w, list);
    if (w.pos > bytes) yield* piece(w);
  }
  while (source.writeNodes(w, bytes)) yield* piece(w);
  w.string('/').string(SIGNATURE);
  yield* piece(w);
}

function* piece(w: JuteWriter): Generator<Buffer> {
  yield w.bytes();
  w.clear();
}

type Part = 'sessionCount' | 'session' | 'aclCount' | 'acl' | 'node' | 'signature' | 'done';

/** Loads a body that comes in chunks of any size. */
export class SnapshotReceiver {
  private readonly sink: BodySink;
  private part: Part = 'sessionCount';
  private left = 0;
  /** What has come of the item at hand, with room behind it: a large one comes in very many chunks. */
  private rest: Buffer = Buffer.alloc(0);
  private restLength = 0;
  /** Bytes of the list at hand that were looked through, and its entries behind them. */
  private listSeen = 0;
  private listLeft = 0;

  constructor(sink: BodySink) {
    this.sink = sink;
  }

  /**
   * Takes in `buf[start, end)`. Returns -1 while more is to come, then the position behind the body.
   * @throws Error for what is no snapshot
   */
  feed(buf: Buffer, start: number, end: number): number {
    const before = this.restLength;
    const all = before === 0 ? buf.subarray(start, end) : this.withRest(buf, start, end);
    let at = 0;
    while (this.part !== 'done') {
      const next = this.step(all, at);
      if (next < 0) {
        // A copy: the rest is small, what it stands in is not. With nothing read it stands where it is.
        if (before === 0 || at > 0) this.rest = Buffer.from(all.subarray(at));
        this.restLength = all.length - at;
        return -1;
      }
      at = next;
    }
    return start + at - before;
  }

  /** The rest with `buf[start, end)` behind it. */
  private withRest(buf: Buffer, start: number, end: number): Buffer {
    const length = this.restLength + end - start;
    if (length > this.rest.length) {
      const room = Buffer.allocUnsafeSlow(2 * length);
      this.rest.copy(room, 0, 0, this.restLength);
      this.rest = room;
    }
    buf.copy(this.rest, this.restLength, start, end);
    return this.rest.subarray(0, length);
  }

  /** Reads one item at `at`; the position behind it, or -1 if it is not whole. */
  private step(buf: Buffer, at: number): number {
    const there = buf.length - at;
    switch (this.part) {
      case 'sessionCount':
      case 'aclCount':
        if (there < 4) return -1;
        this.left = buf.readInt32BE(at);
        this.part = this.part === 'sessionCount' ? 'session' : 'acl';
        this.skipEmpty();
        return at + 4;
      case 'session':
        if (there < 12) return -1;
        this.sink.session(buf.readBigInt64BE(at), buf.readInt32BE(at + 8));
        this.left--;
        this.skipEmpty();
        return at + 12;
      case 'acl':
        return this.acl(buf, at);
      case 'node':
        return this.node(buf, at);
      default:
        return this.signature(buf, at);
    }
  }

  private skipEmpty(): void {
    if (this.left > 0) return;
    if (this.part === 'session') this.part = 'aclCount';
    else if (this.part === 'acl') this.part = 'node';
  }

  private acl(buf: Buffer, at: number): number {
    if (!this.hasList(buf, at)) return -1;
    const reader = new JuteReader(buf, at + 8, buf.length, LARGEST_MAX_LENGTH);
    this.sink.acl(buf.readInt32BE(at) * 4294967296 + buf.readUInt32BE(at + 4), readAclList(reader) ?? []);
    this.listSeen = 0;
    this.left--;
    this.skipEmpty();
    return reader.pos;
  }

  /** Whether the list at `at` is whole; goes on where it ended before. */
  private hasList(buf: Buffer, at: number): boolean {
    if (this.listSeen === 0) {
      if (buf.length - at < 12) return false;
      this.listLeft = buf.readInt32BE(at + 8);
      this.listSeen = 12;
    }
    for (; this.listLeft > 0; this.listLeft--) {
      // ACL: int perms, ustring scheme, ustring id
      const scheme = at + this.listSeen + 4;
      if (buf.length < scheme + 4) return false;
      const id = scheme + 4 + this.length(buf, scheme, -1);
      if (buf.length < id + 4) return false;
      const end = id + 4 + this.length(buf, id, -1);
      if (buf.length < end) return false;
      this.listSeen = end - at;
    }
    return true;
  }

  private node(buf: Buffer, at: number): number {
    const there = buf.length - at;
    if (there < 5) return -1;
    const pathLength = this.length(buf, at);
    if (pathLength === 1 && buf[at + 4] === 0x2f) {
      this.part = 'signature';
      return at + 5;
    }
    if (there < 8 + pathLength) return -1;
    const dataAt = at + 4 + pathLength;
    const dataLength = buf.readInt32BE(dataAt);
    if (dataLength < -1 || dataLength > LARGEST_MAX_LENGTH)
      throw new Error(`data of ${dataLength} bytes in a snapshot`);
    const tail = dataAt + 4 + Math.max(dataLength, 0);
    if (buf.length < tail + 8 + STAT) return -1;
    const aclId = buf.readInt32BE(tail) * 4294967296 + buf.readUInt32BE(tail + 4);
    this.sink.node(buf, at + 4, dataAt, dataLength < 0 ? -1 : dataAt + 4, tail, aclId, tail + 8);
    return tail + 8 + STAT;
  }

  private signature(buf: Buffer, at: number): number {
    if (buf.length - at < 4 + SIGNATURE.length) return -1;
    const n = this.length(buf, at);
    if (buf.toString('latin1', at + 4, at + 4 + n) !== SIGNATURE) throw new Error('a snapshot without its signature');
    this.part = 'done';
    return at + 4 + n;
  }

  private length(buf: Buffer, at: number, least = 0): number {
    const n = buf.readInt32BE(at);
    if (n < least || n > LARGEST_MAX_LENGTH) throw new Error(`a field of ${n} bytes in a snapshot`);
    return Math.max(n, 0);
  }
}
