// A network whose connections speak TLS, in place of Node's own: for the ports between servers (sslQuorum, portUnification).
// Source: QuorumX509Util, UnifiedServerSocket and ZKTrustManager of Apache ZooKeeper.

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { Runtime } from '../../runtime.js';
import { lookupAll } from '../lookup.js';
import { type Connection, type Listener, type ListenOptions, type Network, nodeNetwork } from '../network.js';
import { namesHost } from './host-name.js';
import { TlsEntry, type TlsHooks, type TlsSettings } from './tls-entry.js';
import { distrust } from './trust.js';

export interface TlsNetworkSettings {
  readonly tls: TlsSettings;
  /** Whether connections are dialled with TLS. */
  readonly dials: boolean;
  /** What listeners take. */
  readonly accepts: 'tls' | 'either';
  /** Whether the certificate of a server that is dialled must name its address. */
  readonly verifyServerHost: boolean;
  /** How long an accepted connection may take to come through, in milliseconds. */
  readonly timeout: number;
}

export class TlsNetwork implements Network {
  private readonly settings: TlsNetworkSettings;
  private readonly entry: TlsEntry;

  /** @throws TlsError if the stores cannot be used */
  constructor(settings: TlsNetworkSettings, runtime: Runtime, hooks: TlsHooks) {
    this.settings = settings;
    this.entry = new TlsEntry(settings.tls, settings.timeout, runtime, hooks);
  }

  listen(
    options: ListenOptions,
    onConnection: (connection: Connection) => void,
    onError?: (error: Error) => void,
  ): Promise<Listener> {
    const taker = { onPlain: onConnection, onSecure: onConnection };
    const accept = (connection: Connection): void => this.entry.take(connection, this.settings.accepts, taker);
    return nodeNetwork.listen({ ...options, forTls: true }, accept, onError);
  }

  connect(host: string, port: number, options: { readonly keepAlive?: boolean } = {}): Connection {
    if (!this.settings.dials) return nodeNetwork.connect(host, port, options);
    const { tls, verifyServerHost } = this.settings;
    const socket = connect({
      host,
      port,
      lookup: lookupAll,
      secureContext: this.entry.context,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      // By other rules, below.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(options.keepAlive ?? false);
    return new Dialled(socket, this.entry.anchors, async (certificate) => {
      if (!verifyServerHost) return true;
      return namesHost(certificate, socket.remoteAddress, tls.reverseDns, host);
    });
  }

  /** Ends handshakes under way and the watching of files. */
  close(): void {
    this.entry.close();
  }
}

/** A connection on its way, which is connected once the handshake is done and the server is known to be the right one. */
class Dialled implements Connection {
  private readonly socket: TLSSocket;

  constructor(
    socket: TLSSocket,
    anchors: readonly X509Certificate[],
    isRight: (certificate: X509Certificate) => Promise<boolean>,
  ) {
    this.socket = socket;
    socket.once('secureConnect', () => {
      this.judge(anchors, isRight).then(
        (reason) => {
          if (socket.destroyed) return;
          if (reason === undefined) socket.emit('known');
          else socket.destroy(new Error(`the server's certificate ${reason}`));
        },
        (e: Error) => socket.destroy(new Error(`the server's certificate cannot be read: ${e.message}`)),
      );
    });
  }

  /** Why the server is not to be talked to. */
  private async judge(
    anchors: readonly X509Certificate[],
    isRight: (certificate: X509Certificate) => Promise<boolean>,
  ): Promise<string | undefined> {
    const { socket } = this;
    const raw = socket.getPeerCertificate().raw as Buffer | undefined;
    if (raw === undefined) return 'is missing';
    const certificate = new X509Certificate(raw);
    const reason = distrust(socket, certificate, 'server', anchors);
    if (reason !== undefined) return `is not trusted: ${reason}`;
    return (await isRight(certificate)) ? undefined : 'is not for its address';
  }

  on(event: string, listener: (...args: never[]) => void): this {
    this.socket.on(event === 'connect' ? 'known' : event, listener as (...args: unknown[]) => void);
    return this;
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.socket.remotePort;
  }

  get localAddress(): string | undefined {
    return this.socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.socket.localPort;
  }

  get writableLength(): number {
    return this.socket.writableLength;
  }

  get destroyed(): boolean {
    return this.socket.destroyed;
  }

  write(bytes: Buffer): boolean {
    return this.socket.write(bytes);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(done?: () => void): void {
    this.socket.end(done);
  }

  destroySoon(): void {
    this.socket.destroySoon();
  }

  destroy(): void {
    this.socket.destroy();
  }
}
