// Sockets that read into one buffer which they all share. Node offers that for sockets that are made by hand (`onread`), not for
// those that its servers accept: docs/decisions/0010-lent-bytes.md tells what it brings and how it is done.

import { type Server, Socket } from 'node:net';

/** As much as libuv asks for at a time. */
const SHARED = Buffer.allocUnsafeSlow(64 * 1024);

interface ReadOptions {
  readonly onread: {
    readonly buffer: Buffer;
    readonly callback: (length: number) => boolean;
  };
}

/**
 * Makes a socket that emits what it reads as 'data' and takes it back when the listeners return.
 * @param make given the options by which it reads so
 */
export function lendingSocket(make: (options: ReadOptions) => Socket): Socket {
  const socket = make({
    onread: {
      buffer: SHARED,
      callback: (length) => {
        socket.emit('data', SHARED.subarray(0, length));
        return true;
      },
    },
  });
  return socket;
}

/** What a listening server has its port in. Node does not document it. */
interface ListeningHandle {
  onconnection?: (this: ListeningHandle, status: number, accepted: object | undefined) => void;
}

/**
 * Has a server that listens hand out lending sockets. They do not read before they have a listener for 'data', and are none of the
 * connections that the server counts. Where Node's servers are not made as they are known, nothing changes.
 */
export function lendConnections(server: Server, onConnection: (socket: Socket) => void): void {
  const handle = (server as Server & { readonly _handle?: ListeningHandle })._handle;
  const usual = handle?.onconnection;
  if (handle === undefined || typeof usual !== 'function') return;
  handle.onconnection = function (status, accepted) {
    if (status !== 0 || accepted === undefined) {
      usual.call(this, status, accepted); // an error, which the server emits
      return;
    }
    onConnection(
      lendingSocket(({ onread }) => {
        // Not documented: the handle.
        const options = { handle: accepted, allowHalfOpen: true, manualStart: true, onread };
        return new Socket(options);
      }),
    );
  };
}
