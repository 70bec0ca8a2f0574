// No client at all: frames made beforehand, written to a socket, and answers counted.

import { once } from 'node:events';
import { connect } from 'node:net';
import { JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import type { Call, Contestant } from './contestants.js';

/** Frames of creations are made while they are counted, as each has a path of its own. */
export async function bareSocket(port: number): Promise<Contestant> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.setNoDelay(true);
  await once(socket, 'connect');
  const waiting: (() => void)[] = [];
  let input: Buffer = Buffer.alloc(0);
  let output: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    input = input.length === 0 ? chunk : Buffer.concat([input, chunk]);
    let pos = 0;
    while (pos + 4 <= input.length) {
      const end = pos + 4 + input.readInt32BE(pos);
      if (end > input.length) break;
      pos = end;
      answered++;
      waiting[answered - 1 - base]?.();
      if (answered - base === waiting.length) {
        base = answered;
        waiting.length = 0;
      }
    }
    input = input.subarray(pos);
  });
  let answered = 0;
  let base = 0;
  const send = (bytes: Buffer, done: () => void): void => {
    waiting.push(done);
    if (output.push(bytes) > 1) return;
    process.nextTick(() => {
      socket.write(output.length === 1 ? (output[0] as Buffer) : Buffer.concat(output));
      output = [];
    });
  };
  const call = (bytes: Buffer): Promise<void> => new Promise((resolve) => send(bytes, resolve));
  const create = (path: string, data: Buffer): Buffer =>
    frame((w) => {
      w.int(1).int(OpCode.create2).string(path).buffer(data);
      writeAclList(w, OPEN_ACL_UNSAFE);
      w.int(0);
    });
  await call(frame((w) => w.int(0).long(0n).int(30_000).long(0n).buffer(Buffer.alloc(16)).bool(false)));
  return {
    prepare: (path, data) => call(create(path, data)),
    operation(operation, path, data): Call {
      if (operation === 'create') {
        let count = 0;
        return (done) => send(create(`${path}/n${count++}`, data), done);
      }
      const bytes =
        operation === 'get'
          ? frame((w) => w.int(1).int(OpCode.getData).string(path).bool(false))
          : frame((w) => w.int(1).int(OpCode.setData).string(path).buffer(data).int(-1));
      return (done) => send(bytes, done);
    },
    close: async () => {
      socket.destroy();
    },
  };
}

function frame(content: (w: JuteWriter) => void): Buffer {
  const w = new JuteWriter().int(0);
  content(w);
  const bytes = w.bytes();
  bytes.writeInt32BE(bytes.length - 4, 0);
  return bytes;
}
