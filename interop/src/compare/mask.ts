// Makes replies comparable: decodes them whole, and replaces what differs between two runs (zxids, times, session ids) by what
// must not differ (how far the zxid has moved, which times are equal, whose session it is).

import { type Acl, JuteReader, OpCode, readAclList, readStat } from '@nodekeeper/protocol';

/** What is known of one server's run. */
export class Masks {
  baseZxid = 0;
  readonly sessions = new Map<bigint, string>();

  zxid(z: number): string {
    return z <= 0 ? String(z) : z >= this.baseZxid ? `+${z - this.baseZxid}` : 'old';
  }

  /** Times by order of appearance. Two servers may see a tick of the clock at different steps, so only 0 or not is kept. */
  time(t: number): string {
    return t === 0 ? '0' : 'time';
  }

  owner(id: bigint): string {
    return id === 0n ? '0' : (this.sessions.get(id) ?? `0x${BigInt.asUintN(64, id).toString(16)}`);
  }
}

/** A reply in comparable text. */
export function describe(op: number, frame: Buffer, masks: Masks): string {
  const r = new JuteReader(frame);
  const xid = r.int();
  const zxid = r.long53();
  const error = r.int();
  if (xid === -1) return `event type=${r.int()} state=${r.int()} path=${r.string()}${rest(r)}`;
  const head = `xid=${xid} zxid=${masks.zxid(zxid)} err=${error}`;
  const partial = error !== 0 && op === OpCode.multiRead && r.remaining > 0;
  if (error !== 0 && !partial) return `${head}${rest(r)}`;
  return `${head} ${body(op, r, masks)}${rest(r)}`;
}

function rest(r: JuteReader): string {
  return r.remaining === 0 ? '' : ` rest=${r.buf.subarray(r.pos, r.end).toString('hex')}`;
}

function body(op: number, r: JuteReader, masks: Masks): string {
  if (r.remaining === 0) return '';
  switch (op) {
    case OpCode.create:
      return `path=${r.string()}`;
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return `path=${r.string()} ${stat(r, masks)}`;
    case OpCode.exists:
    case OpCode.setData:
    case OpCode.setACL:
      return stat(r, masks);
    case OpCode.getData:
      return `data=${data(r)} ${stat(r, masks)}`;
    case OpCode.getChildren:
      return `children=${names(r)}`;
    case OpCode.getChildren2:
      return `children=${names(r)} ${stat(r, masks)}`;
    case OpCode.getACL:
      return `acl=${acl(readAclList(r))} ${stat(r, masks)}`;
    case OpCode.sync:
      return `path=${r.string()}`;
    case OpCode.getEphemerals:
      return `paths=${names(r)}`;
    case OpCode.getAllChildrenNumber:
    case OpCode.addWatch:
      return `int=${r.int()}`;
    case OpCode.whoAmI:
      return `who=${JSON.stringify((r.vector((x) => `${x.string()}:${x.string()}`) ?? []).sort())}`;
    case OpCode.sasl:
      return `token=${data(r)}`;
    case OpCode.multi:
    case OpCode.multiRead:
      return results(r, masks);
    default:
      return '';
  }
}

function results(r: JuteReader, masks: Masks): string {
  const out: string[] = [];
  for (;;) {
    const type = r.int();
    const done = r.bool();
    const error = r.int();
    if (done) return `[${out.join('; ')}] end=${type},${error}`;
    let text = `${type},${error}`;
    if (type === OpCode.error) text += ` ${r.int()}`;
    else if (type === OpCode.create || type === OpCode.create2) {
      text += ` ${body(type, r, masks)}`;
    } else if (type === OpCode.setData || type === OpCode.getData || type === OpCode.getChildren)
      text += ` ${body(type, r, masks)}`;
    out.push(text);
  }
}

function stat(r: JuteReader, masks: Masks): string {
  const s = readStat(r);
  return `stat(${masks.zxid(s.czxid)} ${masks.zxid(s.mzxid)} ${masks.time(s.ctime)} ${masks.time(s.mtime)} v=${s.version} c=${s.cversion} a=${s.aversion} owner=${masks.owner(s.ephemeralOwner)} len=${s.dataLength} n=${s.numChildren} p=${masks.zxid(s.pzxid)})`;
}

function data(r: JuteReader): string {
  const bytes = r.buffer();
  return bytes === null ? 'null' : bytes.toString('latin1');
}

function names(r: JuteReader): string {
  const list = r.vector((x) => x.string() ?? 'null');
  return list === null ? 'null' : JSON.stringify(list.sort());
}

function acl(list: readonly Acl[] | null): string {
  return JSON.stringify(list);
}
