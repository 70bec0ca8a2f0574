// Turns the token of an auth packet into identities. Source: DigestAuthenticationProvider of Apache ZooKeeper.

import { createHash } from 'node:crypto';
import { decodeUtf8 } from '@nodekeeper/protocol';
import type { Identity } from '../request/identity.js';

export interface AuthSettings {
  readonly digestEnabled: boolean;
  /** Name of the hash as Java has it (`SHA1`, `SHA-256` …). */
  readonly digestAlg: string;
  /** `user:base64hash` of the superuser. */
  readonly superDigest: string | undefined;
  /** What clients may take this ensemble for, by scheme `ensemble`; null for anything, undefined if there is no such scheme. */
  readonly ensembleNames: ReadonlySet<string> | null | undefined;
}

/** `user:base64(hash(user:password))`, as it stands in ACLs. */
export function digestId(token: string, algorithm = 'SHA1'): string {
  const user = token.split(':', 1)[0] ?? '';
  const hash = createHash(algorithm).update(token, 'utf8').digest('base64');
  return `${user}:${hash}`;
}

/**
 * The identities that a token proves; null if the scheme is unknown or the token is not acceptable (AUTHFAILED).
 * @param remoteAddress the connection's address, which scheme `ip` restates
 * @param known what the connection has proved, which scheme `x509` restates if its certificate is among that
 */
export function authenticate(
  settings: AuthSettings,
  scheme: string | null,
  token: Buffer | null,
  remoteAddress: string,
  known: readonly Identity[] = [],
): Identity[] | null {
  if (scheme === 'ip') return [{ scheme: 'ip', id: remoteAddress }];
  if (scheme === 'x509') return known.some((identity) => identity.scheme === 'x509') ? [...known] : null;
  if (scheme !== 'digest' || !settings.digestEnabled || token === null) return null;
  // Bytes and back: as a part of the token's text it would keep all of that, the password too, as long as the connection lasts.
  const id = Buffer.from(digestId(decodeUtf8(token, 0, token.length), settings.digestAlg)).toString();
  const own = { scheme: 'digest', id };
  return id === settings.superDigest ? [{ scheme: 'super', id: '' }, own] : [own];
}
