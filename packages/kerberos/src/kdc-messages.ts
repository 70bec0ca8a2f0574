// What a client asks a KDC for, and what that answers. Source: RFC 4120, 5.4 and 5.9.

import { Usage } from './crypto/enctype.js';
import { ENCTYPES, type Key } from './crypto/key.js';
import {
  application,
  asInteger,
  asText,
  asTime,
  asUnsigned32,
  element,
  firstElement,
  flags,
  integer,
  list,
  octets,
  type Read,
  sequence,
  text,
  time,
} from './der.js';
import { KerberosError } from './errors.js';
import {
  apRequest,
  asEncrypted,
  asKey,
  asTicket,
  authenticator,
  decrypted,
  encrypted,
  expectNumber,
  fieldsOf,
  momentOf,
  VERSION,
} from './messages.js';
import { asComponents, formatPrincipal, type Principal, principalName, samePrincipal } from './principal.js';
import type { ServiceTicket } from './service-ticket.js';

const Type = { asRequest: 10, asReply: 11, tgsRequest: 12, tgsReply: 13, asPart: 25, tgsPart: 26, error: 30 } as const;
const PreAuth = { tgsRequest: 1, encryptedTimestamp: 2 } as const;

/** What is asked for. */
export interface TicketRequest {
  readonly client: Principal;
  readonly service: Principal;
  /** Until when the ticket should hold, milliseconds since 1970. */
  readonly till: number;
  /** At random, to tell the answer from an old one. 31 bits. */
  readonly nonce: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

// KDC-REQ-BODY ::= SEQUENCE { kdc-options [0], cname [1] OPTIONAL, realm [2], sname [3], from [4] OPTIONAL, till [5],
//   rtime [6] OPTIONAL, nonce [7] UInt32, etype [8] SEQUENCE OF Int32, … }
function requestBody(
  { client, service, till, nonce }: TicketRequest,
  enctypes: readonly number[],
  named: boolean,
): Buffer {
  return sequence({
    0: flags(0),
    1: named ? principalName(client.components) : undefined,
    2: text(service.realm),
    3: principalName(service.components),
    5: time(till),
    7: integer(nonce),
    8: list(enctypes.map(integer)),
  });
}

// KDC-REQ ::= SEQUENCE { pvno [1] 5, msg-type [2], padata [3] SEQUENCE OF PA-DATA, req-body [4] }
// PA-DATA ::= SEQUENCE { padata-type [1] Int32, padata-value [2] OCTET STRING }
function request(type: number, preAuth: number, proof: Buffer, body: Buffer): Buffer {
  const data = sequence({ 1: integer(preAuth), 2: octets(proof) });
  return element(application(type), sequence({ 1: integer(VERSION), 2: integer(type), 3: list([data]), 4: body }));
}

/** Asks for a ticket with a long-term key, which a time encrypted with it proves. */
export function asRequest(wanted: TicketRequest, key: Key): Buffer {
  const { time: seconds, micros } = momentOf(wanted.now);
  // The first is for the answer, of which the client has to have the key; the others will do for the session.
  const enctypes = [key.enctype.id, ...ENCTYPES.map(({ id }) => id).filter((id) => id !== key.enctype.id)];
  const stamp = encrypted(key, Usage.preauthTimestamp, sequence({ 0: time(seconds), 1: integer(micros) }));
  return request(Type.asRequest, PreAuth.encryptedTimestamp, stamp, requestBody(wanted, enctypes, true));
}

/** Asks for a ticket with the ticket for the KDC itself. */
export function tgsRequest(wanted: TicketRequest, granting: ServiceTicket): Buffer {
  const ids = ENCTYPES.map(({ id }) => id);
  const body = requestBody(wanted, ids, false);
  const { key, client, ticket } = granting;
  const proof = authenticator({
    client,
    checksum: { type: key.enctype.checksumId, bytes: key.checksum(Usage.tgsChecksum, body) },
    made: momentOf(wanted.now),
    subkey: undefined,
    sequenceNumber: 0,
  });
  const ap = apRequest(0, ticket, encrypted(key, Usage.tgsAuthenticator, proof));
  return request(Type.tgsRequest, PreAuth.tgsRequest, ap, body);
}

const whole: Read<Buffer> = (bytes) => bytes;

// KDC-REP ::= SEQUENCE { pvno [0], msg-type [1], padata [2] OPTIONAL, crealm [3], cname [4], ticket [5], enc-part [6] }
// EncKDCRepPart ::= SEQUENCE { key [0], last-req [1], nonce [2], key-expiration [3] OPTIONAL, flags [4], authtime [5],
//   starttime [6] OPTIONAL, endtime [7], renew-till [8] OPTIONAL, srealm [9], sname [10], caddr [11] OPTIONAL }
function readReply(reply: Buffer, type: number, key: Key, usage: number, wanted: TicketRequest): ServiceTicket {
  if (firstElement(reply).tag === application(Type.error)) throw readError(reply, wanted);
  const f = fieldsOf(reply, type);
  expectNumber(f, 0, VERSION);
  expectNumber(f, 1, type);
  const client: Principal = { realm: f.get(3, asText), components: f.get(4, asComponents) };
  f.get(5, asTicket);
  const plain = decrypted(f.get(6, asEncrypted), key, usage);
  // Some KDCs have the tag of the other reply here (RFC 4120, 5.4.2).
  const tag = firstElement(plain).tag === application(Type.tgsPart) ? Type.tgsPart : Type.asPart;
  const part = fieldsOf(plain, tag);
  const service: Principal = { realm: part.get(9, asText), components: part.get(10, asComponents) };
  if (part.get(2, asUnsigned32) !== wanted.nonce) throw new KerberosError('the KDC answers another request');
  if (!samePrincipal(client, wanted.client) || !samePrincipal(service, wanted.service)) {
    throw new KerberosError(`the KDC gives a ticket for ${formatPrincipal(service)} to ${formatPrincipal(client)}`);
  }
  return { client, service, ticket: f.get(5, whole), key: part.get(0, asKey), end: part.get(7, asTime) };
}

/** @throws KerberosError if it is a refusal, or not the answer to the request */
export function readAsReply(reply: Buffer, key: Key, wanted: TicketRequest): ServiceTicket {
  return readReply(reply, Type.asReply, key, Usage.asReply, wanted);
}

/** @throws KerberosError if it is a refusal, or not the answer to the request */
export function readTgsReply(reply: Buffer, granting: ServiceTicket, wanted: TicketRequest): ServiceTicket {
  return readReply(reply, Type.tgsReply, granting.key, Usage.tgsReply, wanted);
}

/** What goes wrong in practice. Source: RFC 4120, 7.5.9. */
const REASONS: Readonly<Record<number, string>> = {
  6: 'the client is not known',
  7: 'the service is not known',
  14: 'no encryption type in common',
  18: 'the client is locked, or its keys have expired',
  24: 'the key of the client is wrong',
  25: 'further proof is demanded',
  32: 'the ticket has expired',
  37: 'the clocks are too far apart',
  68: 'the realm is not this KDC’s',
};

// KRB-ERROR ::= SEQUENCE { pvno [0], msg-type [1], …, error-code [6], …, e-text [11] OPTIONAL, … }
function readError(reply: Buffer, { client, service }: TicketRequest): KerberosError {
  const f = fieldsOf(reply, Type.error);
  const code = f.get(6, asInteger);
  const reason = REASONS[code] ?? f.optional(11, asText)?.slice(0, 200) ?? 'no reason given';
  const names = `${formatPrincipal(client)} for ${formatPrincipal(service)}`;
  return new KerberosError(`the KDC refuses a ticket to ${names}: ${reason} (error ${code})`);
}
