// What is known of requests before they are sent: the parts of a multi, and which requests harm Apache's servers.

import { JuteReader, OpCode, readAclList } from '@nodekeeper/protocol';

export interface Part {
  readonly type: number;
  /** Of the create operations. */
  readonly flags?: number;
  readonly ttl?: bigint;
  readonly nullAcl?: boolean;
}

/** The parts of a multi's body; undefined if it can't be decoded. */
export function parseMulti(body: Buffer): Part[] | undefined {
  const parts: Part[] = [];
  const r = new JuteReader(body);
  try {
    for (;;) {
      const type = r.int();
      const done = r.bool();
      r.int();
      if (done) return parts;
      parts.push(parsePart(type, r));
    }
  } catch {
    return undefined;
  }
}

function parsePart(type: number, r: JuteReader): Part {
  r.string();
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL: {
      r.buffer();
      const nullAcl = readAclList(r) === null;
      const flags = r.int();
      return type === OpCode.createTTL ? { type, flags, ttl: r.long() } : { type, flags, nullAcl };
    }
    case OpCode.setData:
      r.buffer();
      r.int();
      return { type };
    default:
      r.int();
      return { type };
  }
}

/**
 * Whether a request can stop Apache's server or leave a log that it can't read: a check outside multi, a TTL node with flags
 * that are not a TTL node's and a negative ttl, and in a multi an ACL of null (in ensembles, from 3.7.2, 3.8.2 and 3.9.0).
 */
export function harmsApache(op: number, body: Buffer): boolean {
  if (op === OpCode.check) return true;
  if (op === OpCode.createTTL) {
    try {
      return strangeTtl(parsePart(op, new JuteReader(body)));
    } catch {
      return false;
    }
  }
  if (op === OpCode.multi) return holdsStrangePart(body);
  return false;
}

/** Looks at the parts up to the first that can't be decoded. */
function holdsStrangePart(body: Buffer): boolean {
  const r = new JuteReader(body);
  try {
    for (;;) {
      const type = r.int();
      if (r.bool()) return false;
      r.int();
      const part = parsePart(type, r);
      if (strangeTtl(part) || part.nullAcl === true) return true;
    }
  } catch {
    return false;
  }
}

function strangeTtl({ type, flags, ttl }: Part): boolean {
  return type === OpCode.createTTL && flags !== 5 && flags !== 6 && (ttl ?? 0n) < 0n;
}

/** What a multi may consist of. */
const PARTS = new Set<number>([
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
  OpCode.delete,
  OpCode.setData,
  OpCode.check,
]);

/**
 * Whether a request can keep a follower of Apache's, or the whole ensemble, from answering any more: a write that can't be decoded
 * or names no node, and what servers send to each other only.
 */
export function harmsEnsembles(op: number, body: Buffer): boolean {
  if (harmsApache(op, body)) return true;
  const r = new JuteReader(body);
  try {
    switch (op) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
      case OpCode.setData:
      case OpCode.delete:
        return namesNothing(op, r);
      case OpCode.setACL: {
        const path = r.string();
        readAclList(r);
        r.int();
        return path === null;
      }
      case OpCode.reconfig:
        for (let i = 0; i < 3; i++) r.string();
        r.long();
        return false;
      case OpCode.multi:
        for (;;) {
          const type = r.int();
          const done = r.bool();
          r.int();
          if (done) return false;
          if (!PARTS.has(type) || namesNothing(type, r)) return true;
        }
      case OpCode.createSession:
      case OpCode.deleteContainer:
      case OpCode.error:
        return true;
      default:
        return false;
    }
  } catch {
    return true;
  }
}

function namesNothing(type: number, r: JuteReader): boolean {
  const at = r.pos;
  const path = r.string();
  r.pos = at;
  parsePart(type, r);
  return path === null;
}
