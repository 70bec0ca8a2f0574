// Opens a connection to one server, by TCP or TLS, and probes whether a server takes writes.

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { clearTimeout } from 'node:timers';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Endpoint } from './hosts.js';
import { onAbort } from './on-abort.js';
import { after } from './timers.js';

/** How connections are opened. */
export interface Opening {
  /** Without it, TCP. */
  readonly tls?: ConnectionOptions | undefined;
  /** Opens them instead of the system. */
  readonly open?: ((address: string, port: number) => Socket) | undefined;
}

/**
 * Resolves with a connected socket (for TLS, with the server's certificate accepted).
 * Rejects with the system's error, at the latest after `timeout` ms or when `signal` is aborted.
 */
export function dial(endpoint: Endpoint, opening: Opening, timeout: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { address, port } = endpoint;
    const secure = opening.tls !== undefined && opening.open === undefined;
    const socket = openSocket(endpoint, opening);
    const timer = after(timeout, () => fail(new Error(`no connection to ${address}:${port} within ${timeout} ms`)));
    const abort = (): void => fail(new Error('connecting was given up'));
    const closed = (): void => fail(new Error(`${address}:${port} closed the connection`));
    const fail = (error: Error): void => {
      release();
      socket.on('error', () => {}); // what still comes is of no interest
      socket.destroy();
      reject(error);
    };
    const connected = (): void => {
      release();
      resolve(socket);
    };
    const release = (): void => {
      clearTimeout(timer);
      forget();
      socket.removeListener('error', fail);
      socket.removeListener('close', closed);
      socket.removeListener(secure ? 'secureConnect' : 'connect', connected);
    };
    socket.once('error', fail);
    socket.once('close', closed);
    socket.once(secure ? 'secureConnect' : 'connect', connected);
    const forget = onAbort(signal, abort);
    if (signal.aborted) abort();
  });
}

function openSocket({ host, address, port }: Endpoint, { tls, open }: Opening): Socket {
  if (open !== undefined) return open(address, port);
  if (tls === undefined) return connectTcp({ host: address, port });
  return connectTls({ ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, host: address, port });
}

/** Whether the server answers the four-letter word `isro` with `rw`. Never rejects. */
export async function takesWrites(
  endpoint: Endpoint,
  opening: Opening,
  timeout: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const socket = await dial(endpoint, opening, timeout, signal);
    return await new Promise((resolve) => {
      let answer = '';
      socket.setTimeout(timeout, () => socket.destroy());
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString('latin1');
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(answer.startsWith('rw')));
      socket.on('end', () => socket.destroy());
      socket.write('isro');
    });
  } catch {
    return false;
  }
}
