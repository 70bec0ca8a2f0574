// Makes frames of two servers comparable byte for byte: in a copy, what differs between two runs (zxids, times, session ids and
// passwords, the order of ephemeral nodes) is replaced by what must not differ (how far the zxid has moved, whether a time agrees
// with its zxid, whose session it is, the sorted paths). On the way the frame is put into words for people.

import { JuteReader, OpCode, readAclList } from '@nodekeeper/protocol';
import { keepsCreate2 } from './known-differences.js';
import type { RequestStep } from './step.js';

export interface Masked {
  /** Equal on both servers, or there is a difference. */
  readonly bytes: Buffer;
  readonly text: string;
}

/** What is known of one server's run of a sequence. */
export class Masks {
  /** The server's zxid when the sequence began; masked zxids are counted from it. */
  baseZxid = 0n;
  /** Whether zxids from before the sequence are compared too: only if both servers have had the same requests so far. */
  readonly comparesOld: boolean;
  /** Whether the create2 of a multi is answered as 3.9 does and compared with how 3.8 does. */
  readonly cutsCreate2: boolean;
  private readonly sessions = new Map<bigint, number>();
  private readonly times = new Map<bigint, bigint>();

  constructor(comparesOld: boolean, cutsCreate2: boolean) {
    this.comparesOld = comparesOld;
    this.cutsCreate2 = cutsCreate2;
  }

  /** The number of a session, by order of appearance; 0 is no session. */
  session(id: bigint): bigint {
    if (id === 0n) return 0n;
    const known = this.sessions.get(id);
    if (known !== undefined) return BigInt(known);
    this.sessions.set(id, this.sessions.size + 1);
    return BigInt(this.sessions.size);
  }

  isSession(id: bigint): boolean {
    return this.sessions.has(id);
  }

  zxid(z: bigint): bigint {
    if (z <= 0n) return z;
    if (z < this.baseZxid && !this.comparesOld) return 1n;
    return z - this.baseZxid + ORIGIN;
  }

  /** 0 for none, 1 if the time is the one that this zxid always had, 2 otherwise. */
  time(time: bigint, zxid: bigint): bigint {
    if (time === 0n) return 0n;
    const known = this.times.get(zxid);
    if (known === undefined) this.times.set(zxid, time);
    return known === undefined || known === time ? 1n : 2n;
  }

  /** A reply or a notification. `request` is what it answers. */
  frame(request: RequestStep | undefined, frame: Buffer): Masked {
    const walk = new Walk(frame, this);
    try {
      if (frame.readInt32BE(0) === -1) walk.event();
      else walk.reply(request);
    } catch (e) {
      walk.words.push(`undecodable: ${(e as Error).message}`);
    }
    return walk.result();
  }

  connectResponse(frame: Buffer): Masked {
    const walk = new Walk(frame, this);
    try {
      walk.connectResponse();
    } catch (e) {
      walk.words.push(`undecodable: ${(e as Error).message}`);
    }
    return walk.result();
  }
}

/** Where masked zxids begin: far from the small and negative numbers that have a meaning of their own. */
const ORIGIN = 1n << 40n;

/** A cursor over a copy of a frame that overwrites what must not be compared. */
class Walk {
  readonly words: string[] = [];
  private bytes: Buffer;
  private readonly r: JuteReader;
  private readonly masks: Masks;

  constructor(frame: Buffer, masks: Masks) {
    this.bytes = Buffer.from(frame);
    this.r = new JuteReader(this.bytes, 0, this.bytes.length, 1 << 28);
    this.masks = masks;
  }

  result(): Masked {
    const { r } = this;
    if (r.remaining > 0) this.words.push(`rest=${r.buf.subarray(r.pos, r.end).toString('hex')}`);
    return { bytes: this.bytes, text: this.words.join(' ') };
  }

  /** The zxid is compared elsewhere: 3.8.0 has -1 always. */
  event(): void {
    const { r } = this;
    r.int();
    r.long();
    this.bytes.fill(0xff, 4, 12);
    this.words.push(`event err=${r.int()} type=${r.int()} state=${r.int()} path=${this.string()}`);
  }

  reply(request: RequestStep | undefined): void {
    const { r } = this;
    const op = request?.op ?? OpCode.ping;
    this.words.push(`xid=${r.int()} zxid=${this.zxid()}`);
    const error = r.int();
    this.words.push(`err=${error}`);
    if (r.remaining === 0) return;
    if (error === 0 || op === OpCode.multiRead || op === OpCode.multi) this.body(op, request);
  }

  connectResponse(): void {
    const { r } = this;
    this.words.push(`version=${r.int()} timeout=${r.int()}`);
    const at = r.pos;
    const id = r.long();
    const ordinal = this.masks.session(id);
    this.bytes.writeBigInt64BE(ordinal, at);
    const password = r.buffer();
    const ok = password?.equals(id === 0n ? Buffer.alloc(16) : derivedPassword(id)) === true;
    if (ok) password.fill(0x50);
    this.words.push(`session=${ordinal} password ${ok ? 'as derived' : 'WRONG'}`);
    if (r.remaining > 0) this.words.push(`readOnly=${r.byte()}`);
  }

  private body(op: number, request: RequestStep | undefined): void {
    switch (op) {
      case OpCode.create:
      case OpCode.sync:
        this.words.push(`path=${this.string()}`);
        return;
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        this.words.push(`path=${this.string()}`);
        this.stat();
        return;
      case OpCode.exists:
      case OpCode.setData:
      case OpCode.setACL:
        this.stat();
        return;
      case OpCode.getData:
        this.words.push(`data=${this.data()}`);
        this.stat();
        return;
      case OpCode.getEphemerals:
        this.words.push(`paths=${this.sorted(() => this.string())}`);
        return;
      case OpCode.getChildren:
        this.words.push(`names=${this.names()}`);
        return;
      case OpCode.getChildren2:
        this.words.push(`names=${this.names()}`);
        this.stat();
        return;
      case OpCode.getACL:
        this.words.push(`acl=${this.acl()}`);
        this.stat();
        return;
      case OpCode.getAllChildrenNumber:
      case OpCode.addWatch:
        this.words.push(`int=${this.r.int()}`);
        return;
      case OpCode.whoAmI:
        this.words.push(
          `who=${this.sorted(() => {
            const scheme = this.string();
            return `${scheme}:${this.string()}`;
          })}`,
        );
        return;
      case OpCode.sasl:
        this.words.push(`token=${this.data()}`);
        return;
      case OpCode.multi:
      case OpCode.multiRead:
        this.results(request);
        return;
      default:
    }
  }

  private results(request: RequestStep | undefined): void {
    const { r } = this;
    for (let index = 0; ; index++) {
      const header = r.pos;
      const type = r.int();
      const done = r.byte();
      const error = r.int();
      this.words.push(done === 0 ? `[${type},${error}` : `end=${type},${done},${error}`);
      if (done !== 0) return;
      if (type === OpCode.error) this.words.push(String(r.int()));
      else if (type === OpCode.create2 || type === OpCode.setData || type === OpCode.getData)
        this.body(type, undefined);
      else if (type === OpCode.create || type === OpCode.getChildren) this.body(type, undefined);
      if (type === OpCode.create2 && this.masks.cutsCreate2 && request !== undefined && keepsCreate2(request, index)) {
        // 3.8.0 answers with the path alone.
        this.bytes.writeInt32BE(OpCode.create, header);
        this.cut(STAT_BYTES);
        this.words.push('as create');
      }
      this.words.push(']');
    }
  }

  /** Takes out the bytes just read. */
  private cut(count: number): void {
    const { r } = this;
    const shorter = Buffer.concat([this.bytes.subarray(0, r.pos - count), this.bytes.subarray(r.pos)]);
    this.bytes = shorter;
    r.reset(shorter, r.pos - count, shorter.length);
  }

  private zxid(): string {
    const at = this.r.pos;
    const z = this.r.long();
    const masked = this.masks.zxid(z);
    this.bytes.writeBigInt64BE(masked, at);
    return z <= 0n
      ? String(z)
      : masked === 1n
        ? 'old'
        : masked >= ORIGIN
          ? `+${masked - ORIGIN}`
          : `${masked - ORIGIN}`;
  }

  private stat(): void {
    const { r, bytes, masks } = this;
    const at = r.pos;
    const czxid = r.long();
    const mzxid = r.long();
    r.pos = at;
    const zxids = `${this.zxid()} ${this.zxid()}`;
    const ctime = masks.time(r.long(), czxid);
    const mtime = masks.time(r.long(), mzxid);
    bytes.writeBigInt64BE(ctime, at + 16);
    bytes.writeBigInt64BE(mtime, at + 24);
    const versions = `v=${r.int()} c=${r.int()} a=${r.int()}`;
    const ownerAt = r.pos;
    const owner = r.long();
    // An owner that no connection has had stays as it is, and is a difference.
    const whose = owner === 0n || masks.isSession(owner) ? masks.session(owner) : owner;
    bytes.writeBigInt64BE(whose, ownerAt);
    this.words.push(
      `stat(c${zxids.replace(' ', ' m')} times=${ctime},${mtime} ${versions} owner=${whose} len=${r.int()} n=${r.int()} p${this.zxid()})`,
    );
  }

  private string(): string {
    return JSON.stringify(this.r.string());
  }

  private data(): string {
    const data = this.r.buffer();
    if (data === null) return 'null';
    const text = data.toString('latin1');
    return text.length > 200 ? `${text.slice(0, 200)}... (${text.length})` : text;
  }

  private names(): string {
    return `[${Array.from({ length: this.r.int() }, () => this.string()).join(',')}]`;
  }

  /** Of a list without an order, the items sorted by their bytes. */
  private sorted(item: () => string): string {
    const { r, bytes } = this;
    const count = r.int();
    const begin = r.pos;
    const items: { raw: Buffer; text: string }[] = [];
    for (let i = 0; i < count; i++) {
      const from = r.pos;
      const text = item();
      items.push({ raw: Buffer.from(bytes.subarray(from, r.pos)), text });
    }
    items.sort((a, b) => Buffer.compare(a.raw, b.raw));
    Buffer.concat(items.map(({ raw }) => raw)).copy(bytes, begin);
    return `${count}[${items.map(({ text }) => text).join(',')}]`;
  }

  /** What `auth` stands for is expanded in no order, so several entries of digest are sorted. */
  private acl(): string {
    const { r } = this;
    const begin = r.pos;
    const list = readAclList(r) ?? [];
    if (list.filter(({ scheme }) => scheme === 'digest').length < 2) return JSON.stringify(list);
    r.pos = begin;
    return this.sorted(() => {
      const perms = r.int();
      const scheme = this.string();
      return `${perms} ${scheme}:${this.string()}`;
    });
  }
}

const STAT_BYTES = 68;

/** The password of a session: four numbers of java.util.Random, seeded with the id and a constant. */
export function derivedPassword(id: bigint): Buffer {
  const out = Buffer.alloc(16);
  const mask = (1n << 48n) - 1n;
  let seed = (id ^ 0xb3415c00n ^ 0x5deece66dn) & mask;
  for (let i = 0; i < 16; i += 4) {
    seed = (seed * 0x5deece66dn + 0xbn) & mask;
    out.writeInt32LE(Number(BigInt.asIntN(32, seed >> 16n)), i);
  }
  return out;
}
