// Who a connection is: the identities it has proved, and what they allow. Schemes world, auth, digest, ip and super.
// Source: PrepRequestProcessor.fixupACL, ZooKeeperServer.checkACL and the authentication providers of Apache ZooKeeper.

import { type Acl, ErrorCode, OPEN_ACL_UNSAFE } from '@nodekeeper/protocol';
import { OPEN_ACL_ID } from '../tree/acl-table.js';
import { javaNumber } from '../tree/java-number.js';
import { isDistinguishedName } from './distinguished-name.js';

export interface Identity {
  readonly scheme: string;
  readonly id: string;
}

/** So many a request may carry along to the leader. */
export const MOST_IDENTITIES = 10_000;
/** So much a connection may prove, in characters: it is kept as long as the connection lasts, and goes along with each write. */
const MOST_IDENTITY_TEXT = 256 * 1024;

/** Whether a connection may prove all these. */
export function mayBeKept(identities: readonly Identity[]): boolean {
  let text = 0;
  for (const { scheme, id } of identities) text += scheme.length + id.length;
  return identities.length <= MOST_IDENTITIES && text <= MOST_IDENTITY_TEXT;
}

/** Which schemes are on, and how the digest one hashes. */
export interface AuthRules {
  readonly skipAcl: boolean;
  readonly digestEnabled: boolean;
  /** Schemes that `authProvider.N` registers besides the built-in ones (sasl, x509, super …). */
  readonly extraSchemes: ReadonlySet<string>;
  /** Whose permissions every identity of scheme sasl has (letAnySaslUserDoX). */
  readonly anySaslUser: string | undefined;
}

/** Whether the identities have one of the permissions under the list. */
export function allows(
  rules: AuthRules,
  aclId: number,
  list: readonly Acl[] | undefined,
  perms: number,
  identities: readonly Identity[],
): boolean {
  if (aclId === OPEN_ACL_ID || rules.skipAcl) return true;
  if (list !== undefined && list.length === 0) return true;
  const few = identities.length <= FEW;
  if (few ? identities.some(isSuper) : hasSuper(identities)) return true;
  if (list === undefined) return false;
  if (few && list.length <= FEW) return list.some((acl) => (acl.perms & perms) !== 0 && grants(rules, acl, identities));
  return (grantedBy(rules, list, identities) & perms) !== 0;
}

function grants(rules: AuthRules, acl: Acl, identities: readonly Identity[]): boolean {
  if (isAnyone(acl)) return true;
  return identities.some((identity) => identity.scheme === acl.scheme && matches(rules, identity, acl.id ?? ''));
}

const isSuper = (identity: Identity): boolean => identity.scheme === 'super';
const isAnyone = (acl: Acl): boolean => acl.scheme === 'world' && acl.id === 'anyone';

// Of longer lists, or more identities, it is kept who has which permissions: a request may ask for the same ones many times. So is what
// makes that quick to find out: who has proved one more is judged anew. Lists and identities are never changed, but replaced.
const FEW = 8;
const granted = new WeakMap<readonly Acl[], WeakMap<readonly Identity[], number>>();

/** The permissions in a list, as judgements look for them. */
interface Grants {
  /** By scheme and id; addresses aside. */
  readonly byId: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** By how many bits of an address count, and by these. */
  readonly byRange: ReadonlyMap<number, ReadonlyMap<string, number>>;
  /** Of everybody, and of all entries of scheme sasl together. */
  readonly anyone: number;
  readonly sasl: number;
}

const grantsOf = new WeakMap<readonly Acl[], Grants>();
const superBy = new WeakMap<readonly Identity[], boolean>();

function hasSuper(identities: readonly Identity[]): boolean {
  let known = superBy.get(identities);
  if (known === undefined) {
    known = identities.some(isSuper);
    superBy.set(identities, known);
  }
  return known;
}

function grantsIn(list: readonly Acl[]): Grants {
  const known = grantsOf.get(list);
  if (known !== undefined) return known;
  const byId = new Map<string, Map<string, number>>();
  const byRange = new Map<number, Map<string, number>>();
  let anyone = 0;
  let sasl = 0;
  const add = <K>(to: Map<K, Map<string, number>>, kind: K, key: string, perms: number): void => {
    const ofKind = to.get(kind) ?? new Map<string, number>();
    to.set(kind, ofKind.set(key, (ofKind.get(key) ?? 0) | perms));
  };
  for (const acl of list) {
    const { perms, id } = acl;
    const scheme = acl.scheme ?? '';
    if (scheme === 'ip') {
      const range = ipRange(id ?? '');
      if (range !== null) add(byRange, range.bits, firstBits(range.address, range.bits), perms);
    } else if (isAnyone(acl)) anyone |= perms;
    else {
      if (scheme === 'sasl') sasl |= perms;
      add(byId, scheme, id ?? '', perms);
    }
  }
  const grants = { byId, byRange, anyone, sasl };
  grantsOf.set(list, grants);
  return grants;
}

function grantedBy(rules: AuthRules, list: readonly Acl[], identities: readonly Identity[]): number {
  let ofList = granted.get(list);
  if (ofList === undefined) {
    ofList = new WeakMap();
    granted.set(list, ofList);
  }
  let perms = ofList.get(identities);
  if (perms === undefined) {
    const grants = grantsIn(list);
    perms = grants.anyone;
    for (const identity of identities) perms |= grantedTo(rules, grants, identity);
    ofList.set(identities, perms);
  }
  return perms;
}

/** As {@link matches}, of all entries of a list. */
function grantedTo(rules: AuthRules, { byId, byRange, sasl }: Grants, { scheme, id }: Identity): number {
  let perms = 0;
  if (scheme === 'ip') {
    const address = addressBytes(id);
    if (address === null) return 0;
    for (const [bits, ranges] of byRange) perms |= ranges.get(firstBits(address, bits)) ?? 0;
    return perms;
  }
  const ids = byId.get(scheme);
  if (scheme === 'sasl') {
    if (!rules.extraSchemes.has('sasl')) return 0;
    if (id === 'super') return sasl;
    perms = rules.anySaslUser === undefined ? 0 : (ids?.get(rules.anySaslUser) ?? 0);
  }
  return perms | (ids?.get(id) ?? 0);
}

function matches(rules: AuthRules, identity: Identity, aclId: string): boolean {
  if (identity.scheme === 'ip') return ipMatches(identity.id, aclId);
  if (identity.scheme !== 'sasl') return identity.id === aclId;
  if (!rules.extraSchemes.has('sasl')) return false;
  return identity.id === aclId || identity.id === 'super' || aclId === rules.anySaslUser;
}

/** What an entry of a list takes at least, beside the characters of scheme and id. */
const ENTRY_BYTES = 12;

/**
 * Brings a list from a request into the form that is stored: duplicates removed, `auth` replaced by the connection's own
 * identities. Returns an error code instead if the list is not valid.
 * @param room bytes: a list that takes more may end early, as its request is refused for that
 */
export function fixupAcl(
  rules: AuthRules,
  list: readonly Acl[] | null,
  identities: readonly Identity[],
  room: number,
): readonly Acl[] | number {
  if (list === OPEN_ACL_UNSAFE) return list;
  if (list === null || list.length === 0) return ErrorCode.InvalidAcl;
  const seen = new Set<string>();
  const out: Acl[] = [];
  let left = room;
  for (const acl of list) {
    const key = JSON.stringify([acl.perms, acl.scheme, acl.id]);
    if (seen.has(key)) continue;
    seen.add(key);
    if (acl.scheme === null) return ErrorCode.InvalidAcl;
    if (acl.scheme === 'auth') {
      const expanded = identities.filter((identity) => authenticates(rules, identity.scheme));
      if (expanded.length === 0) return ErrorCode.InvalidAcl;
      for (const { scheme, id } of expanded) {
        left -= ENTRY_BYTES + scheme.length + id.length;
        out.push({ perms: acl.perms, scheme, id });
        if (left < 0) return out;
      }
    } else if (acl.id === null) {
      // Apache's server runs into a null pointer here unless no provider of the scheme looks at the id.
      return hasProvider(rules, acl.scheme) || acl.scheme === 'world'
        ? ErrorCode.MarshallingError
        : ErrorCode.InvalidAcl;
    } else if (acl.scheme === 'world' ? acl.id === 'anyone' : validId(rules, acl.scheme, acl.id)) {
      out.push(acl);
    } else {
      return ErrorCode.InvalidAcl;
    }
  }
  return out;
}

function hasProvider(rules: AuthRules, scheme: string): boolean {
  return scheme === 'ip' || (scheme === 'digest' && rules.digestEnabled) || rules.extraSchemes.has(scheme);
}

/** Whether identities of the scheme stand for somebody (an address does not); `super` has no provider of its own. */
function authenticates(rules: AuthRules, scheme: string): boolean {
  if (scheme === 'digest') return rules.digestEnabled;
  return scheme !== 'ip' && rules.extraSchemes.has(scheme);
}

function validId(rules: AuthRules, scheme: string, id: string): boolean {
  if (scheme === 'digest') return rules.digestEnabled && validDigestId(id);
  if (scheme === 'ip') return validIpExpression(id);
  if (scheme === 'sasl') return rules.extraSchemes.has('sasl') && validPrincipal(id);
  return scheme === 'x509' && rules.extraSchemes.has('x509') && isDistinguishedName(id);
}

/** A plain name, or `service/host@realm` with the host left out or not. */
function validPrincipal(id: string): boolean {
  return !id.includes('@') || /^[^/@]*(\/[^/@]*)?@[^/@]*$/.test(id);
}

/** Java's `split(":")` drops empty parts at the end; exactly two must be left. */
function validDigestId(id: string): boolean {
  const parts = id.split(':');
  while (parts.length > 0 && parts[parts.length - 1] === '') parts.pop();
  return parts.length === 2;
}

function validIpExpression(expression: string): boolean {
  return expression.split('/').length <= 2 && ipRange(expression) !== null;
}

/** The addresses whose first bits are those of an address. */
interface IpRange {
  readonly address: readonly number[];
  readonly bits: number;
}

function ipMatches(id: string, expression: string): boolean {
  const range = ipRange(expression);
  const address = addressBytes(id);
  return range !== null && address !== null && isWithin(address, range);
}

function ipRange(expression: string): IpRange | null {
  const [text = '', told] = expression.split('/');
  const address = addressBytes(text);
  if (address === null) return null;
  const bits = told === undefined ? address.length * 8 : javaNumber(told, 32);
  return bits === undefined || bits < 0 || bits > address.length * 8 ? null : { address, bits };
}

function isWithin(address: readonly number[], range: IpRange): boolean {
  return firstBits(address, range.bits) === firstBits(range.address, range.bits);
}

/** The first bits of an address as a text, which tells how long the address is, too. */
function firstBits(address: readonly number[], bits: number): string {
  return address.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i)))).join('.');
}

/** The bytes of an IPv4 or IPv6 address in text form; null if it is none. */
function addressBytes(text: string): number[] | null {
  if (!text.includes(':')) {
    const parts = text.split('.');
    if (parts.length !== 4) return null;
    const bytes = parts.map((part) => javaNumber(part, 32) ?? -1);
    return bytes.every((b) => b >= 0 && b <= 255) ? bytes : null;
  }
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const groups = (half: string): number[] =>
    half === '' ? [] : half.split(':').map((g) => (/^[0-9a-f]{1,4}$/i.test(g) ? Number.parseInt(g, 16) : -1));
  const head = groups(halves[0] ?? '');
  const tail = groups(halves[1] ?? '');
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  if (all.some((g) => g < 0)) return null;
  return all.flatMap((g) => [g >> 8, g & 0xff]);
}

/** The list as someone without ADMIN may see it: digest hashes replaced by `x`. */
export function redacted(list: readonly Acl[]): Acl[] {
  return list.map((acl) =>
    acl.scheme === 'digest' ? { perms: acl.perms, scheme: acl.scheme, id: (acl.id ?? '').replace(/:.*/s, ':x') } : acl,
  );
}

/** The user name that whoAmI shows for an identity. */
export function userName(identity: Identity): string {
  if (identity.scheme === 'super') return '';
  if (identity.scheme !== 'digest') return identity.id;
  const colon = identity.id.indexOf(':');
  return colon < 0 ? identity.id : identity.id.slice(0, colon);
}
