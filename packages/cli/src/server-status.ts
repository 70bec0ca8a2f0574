// Asks a server how it is, over its client port.

import { connect, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { lookupAll } from '@nodekeeper/server/lookup';

/**
 * Sends a four-letter word; the reply, or undefined if there is none in time.
 * @param tls over TLS, with this certificate and these authorities; undefined for without
 */
export function fourLetterWord(
  host: string,
  port: number,
  word: string,
  timeoutMs = 5000,
  tls?: ConnectionOptions,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket =
      tls === undefined
        ? connect({ host, port, lookup: lookupAll })
        : connectTls({ host, port, lookup: lookupAll, ...name, ...tls });
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on(tls === undefined ? 'connect' : 'secureConnect', () => socket.write(word));
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text === '' ? undefined : text));
  });
}

/** Whether a ZooKeeper handshake is answered. */
export function answersHandshake(host: string, port: number, timeoutMs = 1000): Promise<boolean> {
  const request = Buffer.alloc(49);
  request.writeInt32BE(45, 0);
  request.writeInt32BE(1000, 16);
  request.writeInt32BE(16, 28);
  const closeSession = Buffer.alloc(12);
  closeSession.writeInt32BE(8, 0);
  closeSession.writeInt32BE(1, 4);
  closeSession.writeInt32BE(-11, 8);
  return new Promise((resolve) => {
    let answered = false;
    const socket = connect({ host, port, lookup: lookupAll });
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on('connect', () => socket.write(request));
    socket.once('data', () => {
      answered = true;
      socket.end(closeSession);
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answered));
  });
}

/** Whether connections are accepted, as far as that can be told without a certificate. */
export function accepts(host: string, port: number, timeoutMs = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    let accepted = false;
    const socket = connect({ host, port, lookup: lookupAll });
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on('connect', () => {
      accepted = true;
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(accepted));
  });
}
