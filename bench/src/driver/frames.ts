// Requests as ready-made frames: length, header, body. The xid is always 1, as servers echo it without a look.

import { JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList, Xid } from '@nodekeeper/protocol';

const XID = 1;
const ANY_VERSION = -1;

/** One create, setData, check or delete, alone or inside a multi. */
export interface Op {
  readonly type: number;
  readonly write: (w: JuteWriter) => void;
}

function frame(write: (w: JuteWriter) => void): Buffer {
  const w = new JuteWriter(256).int(0);
  write(w);
  const bytes = Buffer.from(w.bytes());
  bytes.writeInt32BE(bytes.length - 4);
  return bytes;
}

/** The frame of a single request. */
export function request(op: Op): Buffer {
  return frame((w) => {
    w.int(XID).int(op.type);
    op.write(w);
  });
}

/** The frame of a multi of these operations. */
export function multi(ops: readonly Op[]): Buffer {
  return frame((w) => {
    w.int(XID).int(OpCode.multi);
    for (const op of ops) {
      w.int(op.type).bool(false).int(-1);
      op.write(w);
    }
    w.int(-1).bool(true).int(-1);
  });
}

// ConnectRequest: int protocolVersion, long lastZxidSeen, int timeOut, long sessionId, buffer passwd, bool readOnly
/** The handshake of a new session with a timeout in milliseconds. */
export function connectRequest(timeout: number): Buffer {
  return frame((w) => {
    w.int(0).long53(0).int(timeout).long53(0).buffer(new Uint8Array(16)).bool(false);
  });
}

export const getData = (path: string, watch = false): Op => ({
  type: OpCode.getData,
  write: (w) => w.string(path).bool(watch),
});

export const getChildren = (path: string): Op => ({
  type: OpCode.getChildren,
  write: (w) => w.string(path).bool(false),
});

export const setData = (path: string, data: Uint8Array): Op => ({
  type: OpCode.setData,
  write: (w) => w.string(path).buffer(data).int(ANY_VERSION),
});

/** A persistent node that all may use. */
export const create = (path: string, data: Uint8Array): Op => ({
  type: OpCode.create,
  write: (w) => {
    w.string(path).buffer(data);
    writeAclList(w, OPEN_ACL_UNSAFE);
    w.int(0);
  },
});

export const check = (path: string): Op => ({
  type: OpCode.check,
  write: (w) => w.string(path).int(ANY_VERSION),
});

/** Answered once the server knows all that was committed before. */
export const sync = (path: string): Op => ({
  type: OpCode.sync,
  write: (w) => w.string(path),
});

export const remove = (path: string): Op => ({
  type: OpCode.delete,
  write: (w) => w.string(path).int(ANY_VERSION),
});

export const PING: Buffer = frame((w) => w.int(Xid.ping).int(OpCode.ping));
export const CLOSE_SESSION: Buffer = frame((w) => w.int(XID).int(OpCode.closeSession));
