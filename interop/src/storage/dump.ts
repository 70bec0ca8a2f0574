// Everything a superuser can see of a server's tree: data, Stat and ACL of every node.

import { ErrorCode, errorName, JuteReader, JuteWriter, OpCode, readAclList, readStat } from '@nodekeeper/protocol';
import { RawSession } from '../differential/session.js';

/** A session with the rights of the superuser `super:test`. */
export async function superSession(port: number): Promise<RawSession> {
  const session = new RawSession();
  await session.open(port, 30000, 0n, Buffer.alloc(16), true);
  await call(session, OpCode.auth, (w) => w.int(0).string('digest').buffer(Buffer.from('super:test')));
  return session;
}

export async function call(
  session: RawSession,
  op: number,
  body: (w: JuteWriter) => void,
): Promise<{ error: number; body: JuteReader }> {
  const w = new JuteWriter().int(1).int(op);
  body(w);
  session.send(w.bytes());
  const frame = await session.next();
  if (frame === undefined) throw new Error('the connection was closed');
  const r = new JuteReader(frame);
  r.int();
  r.long();
  return { error: r.int(), body: r };
}

/** The tree below and with `path`, one comparable line a node. What a session of the dump itself changes is not in it. */
export async function dumpTree(session: RawSession, path = '/'): Promise<Map<string, string>> {
  const out = new Map<string, string>();
  const todo = [path];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const at = next;
    const data = await call(session, OpCode.getData, (w) => w.string(at).bool(false));
    if (data.error === ErrorCode.NoNode) continue; // an ephemeral node whose session has just ended
    if (data.error !== 0) throw new Error(`${at} can't be read: ${errorName(data.error)}`);
    const bytes = data.body.buffer();
    const stat = readStat(data.body);
    const control = await call(session, OpCode.getACL, (w) => w.string(at));
    const acl = control.error === 0 ? readAclList(control.body) : errorName(control.error);
    out.set(
      at,
      `${bytes?.toString('hex') ?? 'null'} ${JSON.stringify({ ...stat, ephemeralOwner: String(stat.ephemeralOwner) })} ${JSON.stringify(acl)}`,
    );
    const children = await call(session, OpCode.getChildren, (w) => w.string(at).bool(false));
    const names = children.error === 0 ? children.body.vector((r) => r.string() ?? '') : [];
    for (const name of names ?? []) todo.push(at === '/' ? `/${name}` : `${at}/${name}`);
  }
  return out;
}
