// What the server needs of a network, and nothing more: the simulator implements it too. A connection is the part of Node's
// Socket that is used here, with its meaning.

import { lookup } from 'node:dns/promises';
import { connect, createServer, isIP, type Server, type Socket } from 'node:net';
import type { Runtime } from '../runtime.js';
import { isOneTooMany } from './file-limit.js';
import { lendConnections, lendingSocket } from './lending-sockets.js';
import { lookupAll } from './lookup.js';

export interface Connection {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Bytes that were written and have not left. */
  readonly writableLength: number;
  readonly destroyed: boolean;
  /** The bytes are lent: once the listener has returned, others may be read into the same memory. */
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error & { code?: string }) => void): unknown;
  on(event: 'connect' | 'drain' | 'end' | 'close', listener: () => void): unknown;
  write(bytes: Buffer): boolean;
  pause(): unknown;
  resume(): unknown;
  end(done?: () => void): unknown;
  destroySoon(): void;
  destroy(): unknown;
}

export interface ListenOptions {
  readonly port: number;
  /** All addresses if not set. */
  readonly host?: string | undefined;
  readonly backlog?: number | undefined;
  readonly keepAlive?: boolean;
  /** Whether each connection has to be Node's own, which lends nothing, as TLS needs it. */
  readonly forTls?: boolean;
  /** Descriptors that connections leave to others: those of {@link LEFT_TO_FILES} unless more are. */
  readonly leaves?: number;
}

/** Descriptors for logs, snapshots and connections that are dialled. */
export const LEFT_TO_FILES = 64;

/** Where to listen; on all addresses without `host`. */
export interface ListenPlace {
  readonly host: string | undefined;
  readonly port: number;
}

/** Where to listen for own addresses: each of them, or its port on all addresses. */
export function listenAt(
  own: readonly { readonly host: string; readonly port: number }[],
  onAll: boolean,
): ListenPlace[] {
  const places = own.map(({ host, port }) => ({ host: onAll ? undefined : host, port }));
  return places.filter((place, i) => places.findIndex((other) => samePlace(other, place)) === i);
}

export function samePlace(a: ListenPlace, b: ListenPlace): boolean {
  return a.host === b.host && a.port === b.port;
}

export interface Listener {
  /** The port that was bound. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Opens a port as soon as it can be, and as long as it is wanted; resolves with undefined if it is not any more.
 * @param onFailed told why the first attempt failed
 */
export async function openWhile<T>(
  isWanted: () => boolean,
  open: () => Promise<T>,
  runtime: Runtime,
  againMs: number,
  onFailed: (error: Error) => void,
): Promise<T | undefined> {
  for (let attempt = 1; isWanted(); attempt++) {
    try {
      return await open();
    } catch (e) {
      if (attempt === 1) onFailed(e as Error);
      await new Promise<void>((resolve) => runtime.after(againMs, resolve));
    }
  }
  return undefined;
}

export interface Network {
  /** Rejects with the system's error, EADDRINUSE among them. */
  listen(
    options: ListenOptions,
    onConnection: (connection: Connection) => void,
    onError?: (error: Error) => void,
  ): Promise<Listener>;
  /** A connection on its way: 'connect' or 'error' follows. */
  connect(host: string, port: number, options?: { readonly keepAlive?: boolean }): Connection;
}

export const nodeNetwork: Network = {
  async listen(options, onConnection, onError) {
    const { port, host: name, backlog, keepAlive = false, forTls = false, leaves = LEFT_TO_FILES } = options;
    // The same address that Java's servers take a name for: IPv4 first.
    const host = name === undefined || isIP(name) !== 0 ? name : (await lookup(name, { verbatim: false })).address;
    const open = new OpenConnections((socket) => {
      if (!isOneTooMany(descriptorOf(socket), leaves)) {
        onConnection(socket);
        return;
      }
      socket.on('error', () => {});
      socket.destroy();
      onError?.(new Error('too many connections and files are open: it is closed'));
    });
    const server = createServer({ noDelay: true, allowHalfOpen: true, keepAlive }, open.add);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(
        { port, ...(host === undefined ? {} : { host }), ...(backlog === undefined ? {} : { backlog }) },
        () => {
          server.off('error', reject);
          server.on('error', (error) => onError?.(error));
          if (!forTls) {
            lendConnections(server, (socket) => {
              socket.setNoDelay(true);
              if (keepAlive) socket.setKeepAlive(true);
              open.add(socket);
            });
          }
          const bound = server.address();
          resolve({
            port: typeof bound === 'object' && bound !== null ? bound.port : port,
            close: () => open.close(server),
          });
        },
      );
    });
  },

  connect: (host, port, { keepAlive = false } = {}) =>
    lendingSocket((reading) => connect({ host, port, noDelay: true, keepAlive, lookup: lookupAll, ...reading })),
};

/** Node does not document where it is; where it is not, nothing is refused. */
function descriptorOf(socket: Socket): number | undefined {
  return (socket as Socket & { readonly _handle?: { readonly fd?: number } })._handle?.fd;
}

/** The connections of a port that are open. */
class OpenConnections {
  private count = 0;
  private whenNone: (() => void) | undefined;
  private closing: Promise<void> | undefined;
  private readonly onConnection: (socket: Socket) => void;

  constructor(onConnection: (socket: Socket) => void) {
    this.onConnection = onConnection;
  }

  readonly add = (socket: Socket): void => {
    this.count++;
    socket.once('close', this.remove);
    this.onConnection(socket);
  };

  private readonly remove = (): void => {
    this.count--;
    if (this.count === 0) this.whenNone?.();
  };

  /** Gives the port back at once; resolves when the last connection has ended. */
  close(server: Server): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      server.close(() => {
        if (this.count === 0) resolve();
        else this.whenNone = resolve;
      });
    });
    return this.closing;
  }
}
