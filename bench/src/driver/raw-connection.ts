// One session over one socket, as light as Node allows: bytes are read into one static buffer that all connections share
// (libuv reads and hands over in one go), ready-made frames go out, replies are only counted.

import net from 'node:net';
import { within } from './deadline.js';
import { FrameScanner } from './frame-scanner.js';
import { CLOSE_SESSION, connectRequest } from './frames.js';

const READ_BUFFER = Buffer.allocUnsafeSlow(256 * 1024);
const SESSION_TIMEOUT = 600_000;
const ANSWER_LIMIT = 30_000;
const HANDSHAKE = connectRequest(SESSION_TIMEOUT);

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Called once for each chunk read, with what was completed by it. */
export type RepliesListener = (replies: number, notifications: number) => void;

/** An established session. Nothing is sent by itself, not even pings. */
export class RawConnection {
  readonly scanner = new FrameScanner();
  onReplies: RepliesListener = () => {};
  /** Called if the connection breaks without {@link close} or {@link closeSession}. */
  onBroken: (error: Error) => void = () => {};
  private readonly socket: net.Socket;
  private closing = false;
  private handshake: Buffer | null = Buffer.alloc(0);
  private failure: Error | undefined;
  private settle: (error?: Error) => void = () => {};

  private constructor(address: Address) {
    const onread = {
      buffer: READ_BUFFER,
      callback: (length: number, chunk: Uint8Array) => {
        this.receive(chunk as Buffer, length);
        return true;
      },
    };
    const options = { host: address.host, port: address.port, noDelay: true, onread, allowHalfOpen: true };
    this.socket = net.connect(options);
    this.socket.on('end', () => this.socket.destroy()); // at once, without an end of its own
    this.socket.on('connect', () => this.socket.write(HANDSHAKE));
    this.socket.on('error', (error) => {
      this.failure = error;
    });
    this.socket.on('close', () => this.closed());
  }

  /**
   * Connects and opens a session. Rejects when the port is closed, the server hangs up or refuses, or `limit`
   * milliseconds have passed.
   */
  static open(address: Address, limit = ANSWER_LIMIT): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const connection = new RawConnection(address);
      const late = () => connection.socket.destroy(new Error(`no answer to the handshake within ${limit} ms`));
      const timer = setTimeout(late, limit);
      connection.settle = (error) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve(connection);
      };
    });
  }

  /** Sends whole frames. The bytes must stay as they are until the reply to them has come. */
  write(frames: Uint8Array): void {
    this.socket.write(frames);
  }

  /** Ends the session by the protocol and waits until the server has hung up. */
  closeSession(): Promise<void> {
    this.closing = true;
    this.onReplies = () => {};
    const hungUp = new Promise<void>((resolve) => {
      this.settle = () => resolve();
      this.socket.write(CLOSE_SESSION);
    });
    return within(ANSWER_LIMIT, 'closeSession', hungUp);
  }

  /** Drops the socket; the session lives on in the server until it expires. */
  close(): void {
    this.closing = true;
    this.socket.destroy();
  }

  /** Throws if any reply so far told an error. */
  checkErrors(what: string): void {
    const { errors, firstError } = this.scanner;
    if (errors > 0) throw new Error(`${what}: ${errors} replies told an error, the first ${firstError}`);
  }

  private receive(chunk: Buffer, length: number): void {
    if (this.handshake !== null) {
      this.receiveHandshake(Buffer.concat([this.handshake, chunk.subarray(0, length)]));
      return;
    }
    const { scanner } = this;
    const replies = scanner.replies;
    const notifications = scanner.notifications;
    scanner.feed(chunk, length);
    this.onReplies(scanner.replies - replies, scanner.notifications - notifications);
  }

  // ConnectResponse: int length, int protocolVersion, int timeOut, long sessionId, buffer passwd, bool readOnly
  private receiveHandshake(bytes: Buffer): void {
    this.handshake = bytes;
    if (bytes.length < 4 || bytes.length < 4 + bytes.readInt32BE(0)) return;
    this.handshake = null;
    if (bytes.readInt32BE(8) > 0) this.settle();
    else this.socket.destroy(new Error('the server refused the session'));
  }

  private closed(): void {
    const error = this.failure ?? new Error('the server closed the connection');
    this.settle(this.closing ? undefined : error);
    if (!this.closing) this.onBroken(error);
  }
}

/** Opens `count` sessions, at most `concurrency` at a time; with several servers, on each by turns. */
export async function openMany(
  address: Address | readonly Address[],
  count: number,
  concurrency = 32,
): Promise<RawConnection[]> {
  const servers = [address].flat();
  const connections: RawConnection[] = [];
  while (connections.length < count) {
    const batch = Math.min(concurrency, count - connections.length);
    const next = Array.from({ length: batch }, (_, i) => servers[(connections.length + i) % servers.length]);
    connections.push(...(await Promise.all(next.map((server) => RawConnection.open(server)))));
  }
  return connections;
}
