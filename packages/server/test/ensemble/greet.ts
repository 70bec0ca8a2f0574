// A connection at an election port that says it is some server's.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { atEnd } from '../server/raw-client.js';

export async function greet(t: TestContext, port: number, id: bigint, address = '127.0.0.1:1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  atEnd(t, () => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  const text = Buffer.from(address);
  const greeting = Buffer.alloc(20 + text.length);
  greeting.writeBigInt64BE(-65536n);
  greeting.writeBigInt64BE(id, 8);
  greeting.writeInt32BE(text.length, 16);
  text.copy(greeting, 20);
  socket.write(greeting);
  return socket;
}
