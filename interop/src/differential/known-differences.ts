// The one table of where this server answers otherwise than the 3.8.0 that it is compared with: it follows 3.9, or refuses what
// harms Apache's servers (docs/decisions/0004-38-or-39.md). Each row either is left out of the random sequences or is accepted
// in them, and has an exchange with the answers that both have to give, so that no row is a wish.

import {
  type Acl,
  ErrorCode,
  JuteWriter,
  OPEN_ACL_UNSAFE,
  OpCode,
  READ_ACL_UNSAFE,
  writeAclList,
} from '@nodekeeper/protocol';
import { parseMulti } from '../servers/harmful.js';
import type { RequestStep } from './step.js';

export interface KnownDifference {
  readonly what: string;
  readonly why: string;
  /** How the random sequences deal with it. */
  readonly inSequences: 'left out' | 'accepted';
  /** Requests on connection 0 (or 1) below `root`; what they bring has to be as follows. */
  readonly exchange: (root: string) => readonly Request[];
  /** The texts that the requests bring from 3.8.0; not asked if it would harm the server. */
  readonly apache: readonly RegExp[] | 'harmful';
  /** Those from 3.9.5, if they are not what ours answers either. */
  readonly apache39?: readonly RegExp[];
  readonly ours: readonly RegExp[];
}

export type Request = Pick<RequestStep, 'op' | 'body'> & { readonly conn?: number };

const OK = /^xid=\d+ zxid=\+\d+ err=0/;
const failed = (code: number): RegExp => new RegExp(`^xid=\\d+ zxid=\\+\\d+ err=${code}$`);
const UNKNOWN_OPERATION = /^xid=\d+ zxid=-1 err=-6 \| closed$/;

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    what: 'check outside multi',
    why: '3.8.0 sends no reply and logs what it cannot read again (ZOOKEEPER-2623); 3.9.3 and ours do not know it there',
    inSequences: 'left out',
    exchange: () => [{ op: OpCode.check, body: encode((w) => w.string('/').int(-1)) }],
    apache: 'harmful',
    ours: [UNKNOWN_OPERATION],
  },
  {
    what: 'createTTL with flags of another kind and a negative ttl',
    why: 'kills 3.8.0 and 3.9.5 at once and at every start; ours answers -8',
    inSequences: 'left out',
    exchange: (root) => [{ op: OpCode.createTTL, body: create(`${root}/t`, 0, -1n) }],
    apache: 'harmful',
    ours: [failed(ErrorCode.BadArguments)],
  },
  {
    what: 'createTTL with flags of another kind and a negative ttl, within a multi',
    why: 'ours makes an ordinary node; not tried on Apache because of what it does outside',
    inSequences: 'left out',
    exchange: (root) => [{ op: OpCode.multi, body: multi([OpCode.createTTL, create(`${root}/t`, 0, -1n)]) }],
    apache: 'harmful',
    ours: [/err=0 \[1,0 path="[^ ]+" \] end=-1,1,-1$/],
  },
  {
    what: 'limits for a quota of the root',
    why: 'kills 3.8.0 at once and at every start; ours answers -8',
    inSequences: 'left out',
    exchange: () => [{ op: OpCode.create, body: create('/zookeeper/quota/zookeeper_limits', 0) }],
    apache: 'harmful',
    ours: [failed(ErrorCode.BadArguments)],
  },
  {
    what: 'createSession sent by a client',
    why: '3.8.0 sends a second ConnectResponse; ours refuses',
    inSequences: 'left out',
    exchange: () => [{ op: OpCode.createSession, body: encode((w) => w.int(4000)) }],
    apache: 'harmful',
    ours: [UNKNOWN_OPERATION],
  },
  {
    what: 'create2 within a multi',
    why: '3.8.0 takes it for create and answers the path alone; 3.9 and ours answer path and Stat',
    inSequences: 'accepted', // keepsCreate2
    exchange: (root) => [{ op: OpCode.multi, body: multi([OpCode.create2, create(`${root}/t`, 0)]) }],
    apache: [/err=0 \[1,0 path="[^ ]+" \] end=-1,1,-1$/],
    ours: [/err=0 \[15,0 path="[^ ]+" stat\(.*\) (as create )?\] end=-1,1,-1$/],
  },
  {
    what: 'createContainer and createTTL with flags of another kind within a multi',
    why: '3.8.0 forgets the operation and goes by the flags; 3.9 and ours keep it',
    inSequences: 'left out',
    exchange: (root) => [{ op: OpCode.multi, body: multi([OpCode.createContainer, create(`${root}/t`, 0)]) }],
    apache: [/err=0 \[1,0 path="[^ ]+" \] end=-1,1,-1$/],
    ours: [/err=0 \[15,0 path="[^ ]+" stat\(.*\) \] end=-1,1,-1$/],
  },
  {
    what: 'flags outside 0 to 6 within a multi',
    why: '3.8.0 fails that part with -8; 3.9 and ours fail the whole with -5',
    inSequences: 'left out',
    exchange: (root) => [{ op: OpCode.multi, body: multi([OpCode.create, create(`${root}/t`, 7)]) }],
    apache: [/err=0 \[-1,-8 -8 \] end=-1,1,-1$/],
    ours: [failed(ErrorCode.MarshallingError)],
  },
  {
    what: 'flags of a TTL node under another create within a multi, behind a part that fails',
    why: '3.8.0 does not come to it; 3.9 and ours fail the whole with -5 (as all do if no part before fails)',
    inSequences: 'left out',
    exchange: (root) => [
      {
        op: OpCode.multi,
        body: multi(
          [OpCode.delete, encode((w) => w.string(`${root}/none`).int(-1))],
          [OpCode.create, create(`${root}/t`, 5)],
        ),
      },
    ],
    apache: [/err=0 \[-1,-101 -101 \] \[-1,-2 -2 \] end=-1,1,-1$/],
    ours: [failed(ErrorCode.MarshallingError)],
  },
  {
    what: 'sasl with a null token where SASL is not configured',
    why: '3.8.0 closes without a reply (a null pointer); ours answers as to any other token',
    inSequences: 'left out',
    exchange: () => [{ op: OpCode.sasl, body: encode((w) => w.buffer(null)) }],
    apache: [/^closed( \| closed)?$/],
    apache39: [/^closed( \| closed)?$/],
    ours: [/err=0 token=null$/],
  },
  {
    what: 'a null path within a multi',
    why: '3.8.0 skips a zxid and answers with a body; ours as any undecodable multi',
    inSequences: 'left out',
    exchange: () => [{ op: OpCode.multi, body: multi([OpCode.delete, encode((w) => w.string(null).int(-1))]) }],
    apache: [/err=-5 end=-1,1,-1$/],
    ours: [failed(ErrorCode.MarshallingError)],
  },
  {
    what: 'a null ACL within a multi',
    why: '3.8.0 fails that part with -114; 3.9 and ours the whole with -5',
    inSequences: 'left out',
    exchange: (root) => [{ op: OpCode.multi, body: multi([OpCode.create, create(`${root}/t`, 0, undefined, null)]) }],
    apache: [/err=0 \[-1,-114 -114 \] end=-1,1,-1$/],
    ours: [failed(ErrorCode.MarshallingError)],
  },
  {
    what: 'kinds 4 and 5 of checkWatches and removeWatches',
    why: 'not known to 3.8.0; in 3.9 and ours persistent and recursive watches alone',
    inSequences: 'left out',
    exchange: (root) => [
      { op: OpCode.addWatch, body: encode((w) => w.string(root).int(0)) },
      { op: OpCode.checkWatches, body: encode((w) => w.string(root).int(4)) },
      { op: OpCode.removeWatches, body: encode((w) => w.string(root).int(5)) },
      { op: OpCode.removeWatches, body: encode((w) => w.string(root).int(4)) },
    ],
    apache: [
      OK,
      failed(ErrorCode.MarshallingError),
      failed(ErrorCode.MarshallingError),
      failed(ErrorCode.MarshallingError),
    ],
    ours: [OK, OK, failed(ErrorCode.NoWatcher), OK],
  },
  {
    what: 'watches of several modes on one path of one connection',
    why: 'in 3.8.0 the last one replaces the others; in 3.9 and ours all stand',
    inSequences: 'left out',
    exchange: (root) => [
      { op: OpCode.addWatch, body: encode((w) => w.string(root).int(0)) },
      { op: OpCode.getData, body: encode((w) => w.string(root).bool(true)) },
      { op: OpCode.setData, body: encode((w) => w.string(root).buffer(null).int(-1)) },
      { op: OpCode.setData, body: encode((w) => w.string(root).buffer(null).int(-1)) },
    ],
    apache: [OK, OK, /^event .*type=3/, OK],
    ours: [OK, OK, /^event .*type=3/, /^event .*type=3/],
  },
  {
    what: 'checkWatches of a path that another connection watches',
    why: '3.8.0 counts it, 3.9 and ours do not',
    inSequences: 'accepted', // isKnown
    exchange: (root) => [
      { conn: 1, op: OpCode.getData, body: encode((w) => w.string(root).bool(true)) },
      { op: OpCode.checkWatches, body: encode((w) => w.string(root).int(2)) },
    ],
    apache: [OK, OK],
    ours: [OK, failed(ErrorCode.NoWatcher)],
  },
  {
    what: 'exists of a node that may not be read',
    why: '3.8.0 tells, 3.8.4, 3.9.2 and ours do not; without a watch the sequences hold it, asking 3.8.0 for the data too',
    inSequences: 'accepted', // as39
    exchange: (root) => [
      { op: OpCode.create, body: create(`${root}/l`, 0, undefined, [{ perms: 2, scheme: 'world', id: 'anyone' }]) },
      { op: OpCode.exists, body: encode((w) => w.string(`${root}/l`).bool(false)) },
    ],
    apache: [OK, failed(ErrorCode.NoAuth)], // turned by as39
    ours: [OK, failed(ErrorCode.NoAuth)],
  },
  {
    what: 'addresses of IPv6 in ACLs',
    why: 'not valid before 3.9.4',
    inSequences: 'left out',
    exchange: (root) => [
      {
        op: OpCode.create,
        body: create(`${root}/l`, 0, undefined, [{ perms: 1, scheme: 'ip', id: '::1' }, ...READ_ACL_UNSAFE]),
      },
    ],
    apache: [failed(ErrorCode.InvalidAcl)],
    ours: [OK],
  },
  // Without an exchange, since they depend on the moment, and left out of pipelined requests:
  // - requests behind a setACL are judged by the new ACL here, in Apache's server by the old one until the change is applied (its
  //   pending record has only the version);
  // - createContainer with the flags of an ephemeral node makes a container here and there, but until it is applied Apache's server
  //   takes it for an ephemeral node: it refuses children, and deletes it if the session closes.
  // - a multi with an ACL that has no id fails as a whole; Apache's server then still judges requests behind it by the changes of
  //   the parts before that one, until the failure is applied (leavesChangesBehind).
  // The zxid of notifications (-1 in 3.8.0, the transaction's from 3.9) is compared by itself: Zxids in run.ts.
];

/** ustring "world", then a null id. */
const WITHOUT_ID = Buffer.from('00000005776f726c64ffffffff', 'hex');

/** Whether the request is a multi whose failure Apache's server notices too late to forget the changes of its first parts. */
export function leavesChangesBehind({ op, body }: RequestStep): boolean {
  return op === OpCode.multi && body.includes(WITHOUT_ID);
}

/** Whether the part of a multi is a create2 that 3.8.0 takes for a create. */
export function keepsCreate2(request: RequestStep, index: number): boolean {
  const part = request.op === OpCode.multi ? parseMulti(request.body)?.[index] : undefined;
  return part?.type === OpCode.create2 && part.flags !== undefined && part.flags >= 0 && part.flags <= 3;
}

/**
 * The reply of 3.9 where 3.8.0 has given another: `exists` of a node whose data may not be read.
 * @param ask puts another question to the server and gives the error code
 */
export async function as39(
  request: RequestStep,
  frame: Buffer,
  ask: (op: number, body: Buffer) => Promise<number>,
): Promise<Buffer> {
  if (request.op !== OpCode.exists || frame.readInt32BE(12) !== 0) return frame;
  const error = await ask(OpCode.getData, Buffer.concat([request.body.subarray(0, -1), Buffer.alloc(1)]));
  if (error !== ErrorCode.NoAuth) return frame;
  const refused = Buffer.from(frame.subarray(0, 16));
  refused.writeInt32BE(error, 12);
  return refused;
}

/** Whether two answers differ in a way that is accepted. */
export function isKnown(request: RequestStep, apache: string, ours: string): boolean {
  return (
    request.op === OpCode.checkWatches &&
    / err=0$/.test(apache) &&
    ours === apache.replace(/0$/, String(ErrorCode.NoWatcher))
  );
}

function encode(body: (w: JuteWriter) => void): Buffer {
  const w = new JuteWriter();
  body(w);
  return Buffer.from(w.bytes());
}

function create(path: string, flags: number, ttl?: bigint, acl: readonly Acl[] | null = OPEN_ACL_UNSAFE): Buffer {
  return encode((w) => {
    w.string(path).buffer(null);
    writeAclList(w, acl);
    w.int(flags);
    if (ttl !== undefined) w.long(ttl);
  });
}

function multi(...parts: readonly (readonly [number, Buffer])[]): Buffer {
  const header = (type: number, done: boolean): Buffer => encode((w) => w.int(type).bool(done).int(-1));
  return Buffer.concat([...parts.flatMap(([type, body]) => [header(type, false), body]), header(-1, true)]);
}
