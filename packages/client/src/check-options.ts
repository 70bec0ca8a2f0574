// Options that can be of no use are told at once, before they look like a fault of the network.

import { createSecureContext } from 'node:tls';
import type { ClientOptions } from './options.js';

/** Options that are numbers, with the least and the most that each may be. */
const NUMBERS = {
  sessionTimeout: [0, 2 ** 31 - 1],
  connectTimeout: [1, Number.POSITIVE_INFINITY],
  requestTimeout: [1, Number.POSITIVE_INFINITY],
  maxOutstanding: [1, Number.POSITIVE_INFINITY],
  maxRequest: [1, 2 ** 31 - 1],
  maxFrame: [1, 2 ** 31 - 1],
  srvRefresh: [1, Number.POSITIVE_INFINITY],
} as const;

/** @throws TypeError that names an option which can be of no use */
export function checkOptions(options: ClientOptions): void {
  for (const [name, [least, most]] of Object.entries(NUMBERS))
    checkNumber(name, options[name as keyof typeof NUMBERS], least, most);
  const { auth, session, sasl, tls, reconnect, retry } = options;
  for (const name of ['minDelay', 'maxDelay'])
    checkNumber(`reconnect.${name}`, fieldsOf(reconnect)[name], 0, Number.POSITIVE_INFINITY);
  if (retry !== undefined && typeof fieldsOf(retry).delay !== 'function')
    throw new TypeError('retry must be a policy: exponentialBackoff(…) and others make one');
  if (auth !== undefined) checkAuth(auth);
  if (session !== undefined && !isTicket(session))
    throw new TypeError('session must be { id: bigint, password: bytes }');
  if (sasl !== undefined && !isLogin(sasl)) {
    const ways = "{ mechanism: 'DIGEST-MD5', username, password } or a mechanism with begin(host)";
    throw new TypeError(`sasl must be ${ways}`);
  }
  if (tls !== undefined) checkTls(tls);
}

function checkNumber(name: string, value: unknown, least: number, most: number): void {
  if (value === undefined || (typeof value === 'number' && value >= least && value <= most)) return;
  throw new TypeError(`${name} is ${String(value)}, but must be a number from ${least} to ${most}`);
}

/** Whether it is `{ scheme, auth }`, as an identity is. */
export function isCredential(value: unknown): boolean {
  const { scheme, auth } = fieldsOf(value);
  return typeof scheme === 'string' && (typeof auth === 'string' || auth instanceof Uint8Array);
}

function checkAuth(auth: unknown): void {
  if (!Array.isArray(auth)) throw new TypeError('auth must be a list');
  if (!auth.every(isCredential)) throw new TypeError('auth must be a list of { scheme: text, auth: text or bytes }');
}

function isTicket(value: unknown): boolean {
  const { id, password } = fieldsOf(value);
  return typeof id === 'bigint' && password instanceof Uint8Array;
}

function isLogin(value: unknown): boolean {
  const { begin, mechanism, username, password } = fieldsOf(value);
  if (begin !== undefined) return typeof begin === 'function';
  return mechanism === 'DIGEST-MD5' && typeof username === 'string' && typeof password === 'string';
}

function checkTls(tls: unknown): void {
  if (typeof tls === 'boolean') return;
  if (typeof tls !== 'object' || tls === null) throw new TypeError('tls must be true, or options of tls.connect');
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new TypeError(`tls: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  // Node passes over what is no certificate, and no server would be trusted.
  for (const ca of [fieldsOf(tls).ca].flat() as (string | Uint8Array | undefined)[]) {
    if (ca === undefined || ca.length === 0 || Buffer.from(ca as string).includes('CERTIFICATE-----')) continue;
    throw new TypeError('tls: ca holds no certificate as PEM; it is their text, and not the name of a file');
  }
}

/** What a program without types may have given: anything. */
function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
