// The frames that are damaged to begin with: one or more of every operation, as payloads without the length prefix.

import { JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';

/** Where fuzzed requests may do as they like; everything else has to stay as it is. */
export const PLAYGROUND = '/fuzz';

/** A node whose version tells how often its data were set. Nobody may delete it or change its ACL. */
export const LEDGER = '/guarded/ledger';

export interface Frame {
  readonly op: number;
  readonly payload: Buffer;
}

/** Valid requests of every operation. */
export function validFrames(): Frame[] {
  const frames: Frame[] = [];
  const add = (op: number, body: (w: JuteWriter) => void = () => {}): void => {
    const w = new JuteWriter().int(7).int(op);
    body(w);
    frames.push({ op, payload: Buffer.from(w.bytes()) });
  };
  const create = (w: JuteWriter, path: string, flags: number): void => {
    w.string(path).buffer(Buffer.from('data'));
    writeAclList(w, OPEN_ACL_UNSAFE);
    w.int(flags);
  };
  for (let flags = 0; flags < 4; flags++) add(OpCode.create, (w) => create(w, `${PLAYGROUND}/n${flags}`, flags));
  add(OpCode.create2, (w) => create(w, `${PLAYGROUND}/c2`, 0));
  add(OpCode.createContainer, (w) => create(w, `${PLAYGROUND}/c`, 4));
  add(OpCode.createTTL, (w) => {
    create(w, `${PLAYGROUND}/t`, 5);
    w.long53(100000);
  });
  add(OpCode.delete, (w) => w.string(`${PLAYGROUND}/n0`).int(-1));
  add(OpCode.deleteContainer, (w) => w.string(`${PLAYGROUND}/c`));
  add(OpCode.exists, (w) => w.string(`${PLAYGROUND}/n0`).bool(true));
  add(OpCode.getData, (w) => w.string(PLAYGROUND).bool(true));
  add(OpCode.setData, (w) => w.string(`${PLAYGROUND}/n0`).buffer(Buffer.from('x')).int(-1));
  add(OpCode.setData, (w) => w.string(LEDGER).buffer(Buffer.from('entry')).int(-1));
  add(OpCode.getACL, (w) => w.string(PLAYGROUND));
  add(OpCode.setACL, (w) => {
    w.string(`${PLAYGROUND}/n0`);
    writeAclList(w, OPEN_ACL_UNSAFE);
    w.int(-1);
  });
  add(OpCode.getChildren, (w) => w.string(PLAYGROUND).bool(true));
  add(OpCode.getChildren2, (w) => w.string(PLAYGROUND).bool(false));
  add(OpCode.sync, (w) => w.string(PLAYGROUND));
  add(OpCode.ping);
  add(OpCode.check, (w) => w.string(PLAYGROUND).int(-1));
  add(OpCode.multi, (w) => {
    w.int(OpCode.create).bool(false).int(-1);
    create(w, `${PLAYGROUND}/m`, 0);
    w.int(OpCode.setData).bool(false).int(-1).string(`${PLAYGROUND}/m`).buffer(null).int(-1);
    w.int(OpCode.check).bool(false).int(-1).string(`${PLAYGROUND}/m`).int(1);
    w.int(OpCode.delete).bool(false).int(-1).string(`${PLAYGROUND}/m`).int(-1);
    w.int(-1).bool(true).int(-1);
  });
  add(OpCode.multiRead, (w) => {
    w.int(OpCode.getData).bool(false).int(-1).string(PLAYGROUND).bool(false);
    w.int(OpCode.getChildren).bool(false).int(-1).string(PLAYGROUND).bool(false);
    w.int(-1).bool(true).int(-1);
  });
  add(OpCode.reconfig, (w) => w.string(null).string('1').string(null).long(-1n));
  add(OpCode.checkWatches, (w) => w.string(PLAYGROUND).int(3));
  add(OpCode.removeWatches, (w) => w.string(PLAYGROUND).int(3));
  add(OpCode.auth, (w) => w.int(0).string('digest').buffer(Buffer.from('a:b')));
  add(OpCode.sasl, (w) => w.buffer(Buffer.from('token')));
  for (const op of [OpCode.setWatches, OpCode.setWatches2]) {
    add(op, (w) => {
      w.long53(0);
      const lists = op === OpCode.setWatches ? 3 : 5;
      for (let i = 0; i < lists; i++) w.vector([`${PLAYGROUND}/w${i}`], (x, p) => x.string(p));
    });
  }
  add(OpCode.getEphemerals, (w) => w.string('/'));
  add(OpCode.getAllChildrenNumber, (w) => w.string(PLAYGROUND));
  add(OpCode.addWatch, (w) => w.string(PLAYGROUND).int(1));
  add(OpCode.whoAmI);
  add(OpCode.createSession, (w) => w.int(4000));
  add(OpCode.closeSession);
  return frames;
}
