// What travels between a client and a service: the ticket, the request that presents it, and the reply. Source: RFC 4120, 5.3 and 5.5.

import { randomInt } from 'node:crypto';
import { Key } from './crypto/key.js';
import {
  application,
  asFlags,
  asInteger,
  asOctets,
  asText,
  asTime,
  asUnsigned32,
  contentOf,
  element,
  Fields,
  flags,
  integer,
  octets,
  type Read,
  sequence,
  text,
  time,
} from './der.js';
import { KerberosError } from './errors.js';
import { asComponents, type Principal, principalName } from './principal.js';

export const VERSION = 5;

export const Type = { ticket: 1, authenticator: 2, encTicketPart: 3, apReq: 14, apRep: 15, encApRepPart: 27 } as const;

/** The fields of a message, which stands in a tag of its own. */
export function fieldsOf(message: Buffer, type: number): Fields {
  return new Fields(contentOf(message, application(type)));
}

export function expectNumber(fields: Fields, n: number, expected: number): void {
  const found = fields.get(n, asInteger);
  if (found !== expected) throw new KerberosError(`${found} where ${expected} is expected`);
}

// EncryptedData ::= SEQUENCE { etype [0] Int32, kvno [1] UInt32 OPTIONAL, cipher [2] OCTET STRING }
export interface Encrypted {
  readonly enctype: number;
  /** The version of the key. */
  readonly kvno: number | undefined;
  readonly cipher: Buffer;
}

export const asEncrypted: Read<Encrypted> = (bytes) => {
  const f = new Fields(bytes);
  return { enctype: f.get(0, asInteger), kvno: f.optional(1, asUnsigned32), cipher: f.get(2, asOctets) };
};

export function encrypted(key: Key, usage: number, plain: Buffer, kvno?: number): Buffer {
  return sequence({
    0: integer(key.enctype.id),
    1: kvno === undefined ? undefined : integer(kvno),
    2: octets(key.encrypt(usage, plain)),
  });
}

/** @throws KerberosError if it is not encrypted with this key */
export function decrypted(data: Encrypted, key: Key, usage: number): Buffer {
  if (data.enctype !== key.enctype.id) throw new KerberosError(`encryption type ${data.enctype} is not the key's`);
  return key.decrypt(usage, data.cipher);
}

// EncryptionKey ::= SEQUENCE { keytype [0] Int32, keyvalue [1] OCTET STRING }
export const asKey: Read<Key> = (bytes) => {
  const f = new Fields(bytes);
  return new Key(f.get(0, asInteger), f.get(1, asOctets));
};

export function keyElement(key: Key): Buffer {
  return sequence({ 0: integer(key.enctype.id), 1: octets(key.bytes) });
}

// Ticket ::= [APPLICATION 1] SEQUENCE { tkt-vno [0] 5, realm [1] Realm, sname [2] PrincipalName, enc-part [3] EncryptedData }
export interface Ticket {
  readonly service: Principal;
  readonly part: Encrypted;
}

export const asTicket: Read<Ticket> = (bytes) => {
  const f = fieldsOf(bytes, Type.ticket);
  expectNumber(f, 0, VERSION);
  return { service: { realm: f.get(1, asText), components: f.get(2, asComponents) }, part: f.get(3, asEncrypted) };
};

// EncTicketPart ::= [APPLICATION 3] SEQUENCE { flags [0], key [1], crealm [2], cname [3], transited [4], authtime [5],
//   starttime [6] OPTIONAL, endtime [7], renew-till [8], caddr [9], authorization-data [10] }
export interface TicketPart {
  readonly flags: number;
  readonly key: Key;
  readonly client: Principal;
  /** From when to when it holds, milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
}

export const asTicketPart: Read<TicketPart> = (bytes) => {
  const f = fieldsOf(bytes, Type.encTicketPart);
  return {
    flags: f.get(0, asFlags),
    key: f.get(1, asKey),
    client: { realm: f.get(2, asText), components: f.get(3, asComponents) },
    start: f.optional(6, asTime) ?? f.get(5, asTime),
    end: f.get(7, asTime),
  };
};

// Checksum ::= SEQUENCE { cksumtype [0] Int32, checksum [1] OCTET STRING }
export interface Checksum {
  readonly type: number;
  readonly bytes: Buffer;
}

export const asChecksum: Read<Checksum> = (bytes) => {
  const f = new Fields(bytes);
  return { type: f.get(0, asInteger), bytes: f.get(1, asOctets) };
};

export function checksumElement({ type, bytes }: Checksum): Buffer {
  return sequence({ 0: integer(type), 1: octets(bytes) });
}

/** A moment, as Kerberos has it. */
export interface Moment {
  /** Milliseconds since 1970, whole seconds. */
  readonly time: number;
  /** And so many microseconds, less than a million. */
  readonly micros: number;
}

/** @param wallTime milliseconds; what is finer is made up, so that no two moments of a client are the same */
export function momentOf(wallTime: number): Moment {
  const millis = Math.floor(wallTime % 1000);
  return { time: Math.floor(wallTime / 1000) * 1000, micros: millis * 1000 + randomInt(1000) };
}

// Authenticator ::= [APPLICATION 2] SEQUENCE { authenticator-vno [0] 5, crealm [1], cname [2], cksum [3] OPTIONAL, cusec [4],
//   ctime [5], subkey [6] OPTIONAL, seq-number [7] OPTIONAL, authorization-data [8] OPTIONAL }
export interface Authenticator {
  readonly client: Principal;
  readonly checksum: Checksum | undefined;
  readonly made: Moment;
  readonly subkey: Key | undefined;
  readonly sequenceNumber: number;
}

export const asAuthenticator: Read<Authenticator> = (bytes) => {
  const f = fieldsOf(bytes, Type.authenticator);
  expectNumber(f, 0, VERSION);
  return {
    client: { realm: f.get(1, asText), components: f.get(2, asComponents) },
    checksum: f.optional(3, asChecksum),
    made: { time: f.get(5, asTime), micros: f.get(4, asInteger) },
    subkey: f.optional(6, asKey),
    sequenceNumber: f.optional(7, asUnsigned32) ?? 0,
  };
};

export function authenticator(a: Authenticator): Buffer {
  const fields = sequence({
    0: integer(VERSION),
    1: text(a.client.realm),
    2: principalName(a.client.components),
    3: a.checksum === undefined ? undefined : checksumElement(a.checksum),
    4: integer(a.made.micros),
    5: time(a.made.time),
    6: a.subkey === undefined ? undefined : keyElement(a.subkey),
    7: integer(a.sequenceNumber),
  });
  return element(application(Type.authenticator), fields);
}

// AP-REQ ::= [APPLICATION 14] SEQUENCE { pvno [0] 5, msg-type [1] 14, ap-options [2], ticket [3], authenticator [4] EncryptedData }
export interface ApRequest {
  readonly options: number;
  readonly ticket: Ticket;
  readonly authenticator: Encrypted;
}

export const ApOption = { useSessionKey: 0x40000000, mutualRequired: 0x20000000 } as const;

export const asApRequest: Read<ApRequest> = (bytes) => {
  const f = fieldsOf(bytes, Type.apReq);
  expectNumber(f, 0, VERSION);
  expectNumber(f, 1, Type.apReq);
  return { options: f.get(2, asFlags), ticket: f.get(3, asTicket), authenticator: f.get(4, asEncrypted) };
};

/** @param ticketBytes as the KDC gave it */
export function apRequest(options: number, ticketBytes: Buffer, authenticatorPart: Buffer): Buffer {
  const fields = sequence({
    0: integer(VERSION),
    1: integer(Type.apReq),
    2: flags(options),
    3: ticketBytes,
    4: authenticatorPart,
  });
  return element(application(Type.apReq), fields);
}

// EncAPRepPart ::= [APPLICATION 27] SEQUENCE { ctime [0], cusec [1], subkey [2] OPTIONAL, seq-number [3] OPTIONAL }
export interface ApReplyPart {
  readonly made: Moment;
  readonly subkey: Key | undefined;
  readonly sequenceNumber: number;
}

// AP-REP ::= [APPLICATION 15] SEQUENCE { pvno [0] 5, msg-type [1] 15, enc-part [2] EncryptedData }
export function apReply(part: ApReplyPart, key: Key, usage: number): Buffer {
  const plain = sequence({
    0: time(part.made.time),
    1: integer(part.made.micros),
    2: part.subkey === undefined ? undefined : keyElement(part.subkey),
    3: integer(part.sequenceNumber),
  });
  const sealed = encrypted(key, usage, element(application(Type.encApRepPart), plain));
  return element(application(Type.apRep), sequence({ 0: integer(VERSION), 1: integer(Type.apRep), 2: sealed }));
}

/** @throws KerberosError if it is not encrypted with this key */
export function readApReply(bytes: Buffer, key: Key, usage: number): ApReplyPart {
  const f = fieldsOf(bytes, Type.apRep);
  expectNumber(f, 0, VERSION);
  expectNumber(f, 1, Type.apRep);
  const part = fieldsOf(decrypted(f.get(2, asEncrypted), key, usage), Type.encApRepPart);
  return {
    made: { time: part.get(0, asTime), micros: part.get(1, asInteger) },
    subkey: part.optional(2, asKey),
    sequenceNumber: part.optional(3, asUnsigned32) ?? 0,
  };
}
