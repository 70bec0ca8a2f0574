// TLS for accepted connections: the handshake, the judgement of the client's certificate, and new certificates while running.
// Source: NettyServerCnxnFactory, X509AuthenticationProvider and ClientX509Util of Apache ZooKeeper.

import { X509Certificate } from 'node:crypto';
import { type StatWatcher, unwatchFile, watchFile } from 'node:fs';
import { Socket } from 'node:net';
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from 'node:tls';
import type { Identity } from '../../request/identity.js';
import type { Runtime } from '../../runtime.js';
import type { Connection } from '../network.js';
import { cipherSuite, hasTls13 } from './cipher-suites.js';
import { namesHost } from './host-name.js';
import { readKeyStore, readTrustStore, type StoreSettings, TlsError } from './key-store.js';
import { subjectName } from './subject-name.js';
import { distrust } from './trust.js';

export interface TlsSettings {
  /** What stands before the names of the settings: `ssl.`, `ssl.quorum.` … */
  readonly prefix: string;
  readonly keyStore: StoreSettings;
  readonly trustStore: StoreSettings | undefined;
  /** Whether clients are asked for a certificate, and whether they must have one. */
  readonly clientAuth: 'none' | 'want' | 'need';
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
  /** OpenSSL's names or Java's; empty for Node's choice. */
  readonly cipherSuites: readonly string[];
  /** Whether a client's certificate must name the address it comes from. */
  readonly verifyClientHost: boolean;
  /** Whether the names that the DNS has for the address count too. */
  readonly reverseDns: boolean;
  /** Whether stores are read again when their files change. */
  readonly reload: boolean;
  /** The certificate subject that is the superuser. */
  readonly superUser: string | undefined;
  /** Handshakes under way at once; less than 1 for no limit. */
  readonly handshakeLimit: number;
}

/** Whom connections are for. */
export interface TlsTaker {
  /** A client that speaks no TLS, on a port that takes either. */
  onPlain(socket: Connection): void;
  /** A client has come through; its identities are proved by its certificate. */
  onSecure(socket: Connection, identities: readonly Identity[]): void;
}

export interface TlsHooks {
  /** Too many handshakes are under way. */
  onRefused(address: string, reason: string): void;
  /** A client could not come through. */
  onFailed(address: string, reason: string): void;
  onReloaded(path: string): void;
  onReloadFailed(path: string, error: Error): void;
}

interface Shaking {
  readonly socket: Socket;
  /** As it was while the socket was open: a closed one has none. */
  readonly address: string;
  readonly taker: TlsTaker;
}

/** The first byte of a TLS connection: a handshake record. No plain request can begin with it. */
const HANDSHAKE_RECORD = 0x16;
/** How often files are looked at, in milliseconds. */
const RELOAD_CHECK_MS = 1000;

export class TlsEntry {
  private readonly settings: TlsSettings;
  private readonly hooks: TlsHooks;
  private readonly runtime: Runtime;
  private readonly timeout: number;
  private readonly server: Server;
  /** What connections of one's own are dialled with. */
  context: SecureContext;
  /** The certificates of the trust store. */
  anchors: readonly X509Certificate[];
  /** Sockets on which the handshake is under way, by {@link keyOf}. */
  private readonly shaking = new Map<string, Shaking>();
  /** Sockets of which it is not known yet whether they speak TLS. */
  private readonly undecided = new Set<Socket>();
  private readonly watched: string[] = [];

  /**
   * Reads the stores.
   * @param handshakeTimeout milliseconds
   * @throws TlsError if they cannot be used
   */
  constructor(settings: TlsSettings, handshakeTimeout: number, runtime: Runtime, hooks: TlsHooks) {
    this.settings = settings;
    this.hooks = hooks;
    this.runtime = runtime;
    this.timeout = handshakeTimeout;
    const { options, anchors } = contextOptions(settings);
    this.context = createSecureContext(options);
    this.anchors = anchors;
    this.server = createServer({
      ...options,
      handshakeTimeout,
      requestCert: settings.clientAuth !== 'none',
      rejectUnauthorized: false, // judged below
    });
    this.server.on('secureConnection', (socket) => this.judge(socket));
    this.server.on('tlsClientError', (error, socket) => {
      // OpenSSL's own words alone; the message has its code and places in its source, too.
      this.failed(keyOf(socket), (error as { readonly reason?: string }).reason ?? error.message);
      socket.destroy();
    });
    if (settings.reload) this.watch();
  }

  /** Handshakes under way. */
  get handshakes(): number {
    return this.shaking.size;
  }

  /** Connections taken that have not come through yet. */
  get underWay(): number {
    return this.shaking.size + this.undecided.size;
  }

  /** Takes an accepted connection of Node's network: a TLS handshake follows, or on a port for either, perhaps not. */
  take(connection: Connection, entry: 'tls' | 'either', taker: TlsTaker): void {
    if (!(connection instanceof Socket)) throw new Error('TLS needs a real socket');
    connection.on('error', () => {}); // its end is told by 'close'
    if (entry === 'tls') this.shakeHands(connection, taker);
    else this.decide(connection, taker);
  }

  /** Ends what has not come through; the rest is its owner's. */
  close(): void {
    for (const path of this.watched) unwatchFile(path, this.onChange);
    for (const socket of this.undecided) socket.destroy();
    for (const { socket } of this.shaking.values()) socket.destroy();
    this.shaking.clear();
  }

  /** Looks at the first byte. */
  private decide(socket: Socket, taker: TlsTaker): void {
    this.undecided.add(socket);
    const giveUp = (): void => void socket.destroy();
    const timer = this.runtime.after(this.timeout, giveUp);
    socket.once('end', giveUp);
    socket.once('close', () => {
      timer.cancel();
      this.undecided.delete(socket);
    });
    socket.once('data', (chunk) => {
      timer.cancel();
      socket.off('end', giveUp);
      this.undecided.delete(socket);
      socket.pause();
      socket.unshift(chunk);
      if (chunk[0] === HANDSHAKE_RECORD) {
        this.shakeHands(socket, taker);
        return;
      }
      taker.onPlain(socket);
      socket.resume();
    });
  }

  private shakeHands(socket: Socket, taker: TlsTaker): void {
    const { handshakeLimit } = this.settings;
    if (handshakeLimit > 0 && this.handshakes >= handshakeLimit) {
      this.hooks.onRefused(socket.remoteAddress ?? '', `${handshakeLimit} TLS handshakes are under way`);
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    this.shaking.set(key, { socket, address: socket.remoteAddress ?? '', taker });
    socket.allowHalfOpen = false; // who leaves within the handshake has left
    socket.once('close', () => {
      if (this.shaking.get(key)?.socket === socket) this.failed(key, 'the client left within the handshake');
    });
    this.server.emit('connection', socket);
  }

  /** Tells of a client that could not come through, once: Node tells of one that has left, too, and later. */
  private failed(key: string, reason: string): void {
    const shaking = this.shaking.get(key);
    if (shaking === undefined) return;
    this.shaking.delete(key);
    this.hooks.onFailed(shaking.address, reason);
  }

  private async judge(socket: TLSSocket): Promise<void> {
    const key = keyOf(socket);
    let verdict: readonly Identity[] | string;
    try {
      verdict = await this.verdict(socket);
    } catch (e) {
      // A certificate can hold anything.
      verdict = `the client's certificate cannot be read: ${(e as Error).message}`;
    }
    if (typeof verdict === 'string') {
      this.failed(key, verdict);
      socket.destroy();
      return;
    }
    const waiting = this.shaking.get(key);
    this.shaking.delete(key);
    if (socket.destroyed || waiting === undefined) return;
    socket.allowHalfOpen = true;
    waiting.taker.onSecure(socket, verdict);
  }

  /** Who the client is by its certificate, or why it may not come in. */
  private async verdict(socket: TLSSocket): Promise<readonly Identity[] | string> {
    const { clientAuth, verifyClientHost, reverseDns, superUser } = this.settings;
    const raw = clientAuth === 'none' ? undefined : (socket.getPeerCertificate().raw as Buffer | undefined);
    if (raw === undefined) return clientAuth === 'need' ? 'the client has no certificate' : [];
    const certificate = new X509Certificate(raw);
    const reason = distrust(socket, certificate, 'client', this.anchors);
    if (reason !== undefined) return `the client's certificate is not trusted: ${reason}`;
    if (verifyClientHost && !(await namesHost(certificate, socket.remoteAddress, reverseDns)))
      return "the client's certificate is not for its address";
    const id = subjectName(certificate);
    const x509 = { scheme: 'x509', id };
    return id === superUser ? [{ scheme: 'super', id }, x509] : [x509];
  }

  private watch(): void {
    const { keyStore, trustStore } = this.settings;
    const paths = [keyStore.path, keyStore.passwordPath, trustStore?.path, trustStore?.passwordPath];
    for (const path of new Set(paths)) {
      if (path === undefined) continue;
      this.watched.push(path);
      const watcher: StatWatcher = watchFile(path, { interval: RELOAD_CHECK_MS, persistent: false }, this.onChange);
      watcher.unref();
    }
  }

  /** What is read only half keeps the old certificates; the next change of the file is another attempt. */
  private readonly onChange = (): void => {
    try {
      const { options, anchors } = contextOptions(this.settings);
      this.context = createSecureContext(options);
      this.anchors = anchors;
      this.server.setSecureContext(options);
      this.hooks.onReloaded(this.settings.keyStore.path);
    } catch (e) {
      this.hooks.onReloadFailed(this.settings.keyStore.path, e as Error);
    }
  };
}

function contextOptions(settings: TlsSettings): {
  readonly options: SecureContextOptions;
  readonly anchors: readonly X509Certificate[];
} {
  const { key, chain } = readKeyStore(settings.keyStore);
  const anchors = settings.trustStore === undefined ? undefined : readTrustStore(settings.trustStore);
  const named = settings.cipherSuites;
  // OpenSSL has TLS 1.3 with suites of its own choice unless some are named; Java has only those that are named.
  const without13 = named.length > 0 && !hasTls13(named);
  if (without13 && settings.minVersion === 'TLSv1.3')
    throw new TlsError(
      `${settings.prefix}ciphersuites: TLS cannot be offered: TLSv1.3 has none of ${named.join(', ')}`,
    );
  const options = {
    key: key.export({ type: 'pkcs8', format: 'pem' }),
    cert: chain.map((certificate) => certificate.toString()).join('\n'),
    ...(anchors === undefined ? {} : { ca: anchors.map((certificate) => certificate.toString()) }),
    ...(named.length === 0 ? {} : { ciphers: ciphers(settings.prefix, named) }),
    minVersion: settings.minVersion,
    maxVersion: without13 ? ('TLSv1.2' as const) : settings.maxVersion,
    // In Java's trust stores every certificate is an anchor, whoever signed it.
    allowPartialTrustChain: true,
  };
  try {
    createSecureContext(options);
  } catch (e) {
    throw new TlsError(`${settings.keyStore.path}: TLS cannot be offered: ${(e as Error).message}`);
  }
  return { options, anchors: anchors ?? [] };
}

function ciphers(prefix: string, names: readonly string[]): string {
  const found = names.map(cipherSuite);
  const missing = names.filter((_, i) => found[i] === undefined);
  if (missing.length > 0) throw new TlsError(`${prefix}ciphersuites: there is no cipher suite ${missing.join(', ')}`);
  return found.join(':');
}

/** A live connection's two ends. A TLS socket has those of the socket below it. */
function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}
