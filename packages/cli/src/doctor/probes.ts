// How a port on another machine answers: not at all, by refusing, with TLS, as a ZooKeeper server.

import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { isWildcard, javaAddress } from '@nodekeeper/server/config';
import { lookupAll } from '@nodekeeper/server/lookup';

/** `silent`: nothing came back in time, as behind a firewall that drops packets. */
export type Reached = 'open' | 'refused' | 'silent' | 'unreachable';

export interface Reach {
  readonly how: Reached;
  /** Milliseconds until the connection was there. */
  readonly time: number;
  /** The system's word, if it failed. */
  readonly error: string;
}

/** Opens a connection and closes it. */
export function reach(host: string, port: number, timeout: number): Promise<Reach> {
  const began = performance.now();
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port, lookup: lookupAll });
    const end = (how: Reached, error = ''): void => {
      socket.destroy();
      resolve({ how, error, time: performance.now() - began });
    };
    socket.setTimeout(timeout, () => end('silent', `no answer within ${timeout} ms`));
    socket.on('connect', () => end('open'));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') end('refused', error.message);
      else if (error.code === 'ETIMEDOUT') end('silent', error.message);
      else end('unreachable', error.message);
    });
  });
}

/** The addresses of a name. Rejects with the resolver's error. */
export async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** Whether the address is one of this machine. */
export function isLocal(address: string): boolean {
  if (isWildcard(address) || isLoopback(address)) return true;
  const plain = javaAddress(address);
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.some((one) => javaAddress(one.address) === plain);
}

export function isLoopback(address: string): boolean {
  return /^127\.|^0:0:0:0:0:0:0:1$/.test(javaAddress(address));
}

export interface TlsAnswer {
  /** Whether a TLS server answered. */
  readonly isTls: boolean;
  /** Why the handshake failed, if it did. */
  readonly error: string | undefined;
}

/** Tries a TLS handshake. */
export function tryTls(host: string, port: number, options: ConnectionOptions, timeout: number): Promise<TlsAnswer> {
  return new Promise((resolve) => {
    const names = isIP(host) === 0 ? { servername: host } : {};
    const socket = connectTls({ ...names, ...options, host, port, lookup: lookupAll });
    const end = (answer: TlsAnswer): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeout, () => end({ isTls: false, error: `no answer within ${timeout} ms` }));
    socket.on('secureConnect', () => end({ isTls: true, error: undefined }));
    socket.on('close', () => end({ isTls: false, error: 'the connection was closed' }));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // An alert, or a certificate that is not accepted, has come from a TLS server.
      const isTls = /alert|certificate|CERT_|ALTNAME|self.signed/i.test(`${error.code} ${error.message}`);
      end({ isTls, error: error.message });
    });
  });
}

export interface ServerFacts {
  readonly version: string;
  /** leader, follower, observer, standalone, read-only. */
  readonly mode: string;
  readonly zxid: number;
  readonly connections: number;
}

/** Reads the answer to `srvr`; undefined if it is none of a server that serves. */
export function parseSrvr(text: string | undefined): ServerFacts | undefined {
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(text ?? '')?.[1];
  const version = field('Zookeeper version');
  const mode = field('Mode');
  if (version === undefined || mode === undefined) return undefined;
  const short = /^[\d.]+/.exec(version)?.[0] ?? version;
  return { version: short, mode, zxid: Number(field('Zxid') ?? 0), connections: Number(field('Connections') ?? 0) };
}

/** Milliseconds that the clock of an HTTP server is ahead of ours, give or take `error`; undefined if it does not tell. */
export function clockOf(
  host: string,
  port: number,
  path: string,
  timeout: number,
): Promise<{ ahead: number; error: number } | undefined> {
  const before = Date.now();
  return fetch(`http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`, {
    signal: AbortSignal.timeout(timeout),
  })
    .then((response) => {
      void response.body?.cancel();
      const date = Date.parse(response.headers.get('date') ?? '');
      if (Number.isNaN(date)) return undefined;
      // The header has whole seconds: it was half a second more in the mean.
      const after = Date.now();
      return { ahead: date + 500 - (before + after) / 2, error: 500 + (after - before) / 2 };
    })
    .catch(() => undefined);
}
