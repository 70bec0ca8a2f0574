// A client that vanishes: it opens a session, makes an ephemeral node, and goes without a word.

import { once } from 'node:events';
import { connect } from 'node:net';

const INT = 4;

function int(value: number): Buffer {
  const out = Buffer.alloc(INT);
  out.writeInt32BE(value);
  return out;
}

function buffer(text: string): Buffer {
  return Buffer.concat([int(text.length), Buffer.from(text)]);
}

function frame(...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([int(body.length), body]);
}

/** Resolves with the session's id once the node is there and the connection is gone. */
export async function vanish(connectString: string, path: string, timeout: number): Promise<bigint> {
  const [host, port] = connectString.split(':');
  const socket = connect(Number(port), host);
  const next = async (): Promise<Buffer> => ((await once(socket, 'data')) as [Buffer])[0];
  socket.write(frame(int(0), Buffer.alloc(8), int(timeout), Buffer.alloc(8), int(16), Buffer.alloc(16)));
  const session = (await next()).readBigUInt64BE(INT + 8);
  const acl = [int(1), int(31), buffer('world'), buffer('anyone')];
  socket.write(frame(int(1), int(1), buffer(path), int(-1), ...acl, int(1)));
  await next();
  socket.destroy();
  await once(socket, 'close');
  return session;
}
