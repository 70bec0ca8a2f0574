// Tokens of the Kerberos mechanism of GSS-API: the frame of the first ones, and messages with a checksum. Source: RFC 4121.

import { timingSafeEqual } from 'node:crypto';
import { Usage } from './crypto/enctype.js';
import type { Key } from './crypto/key.js';
import { contentOf, element, firstElement, Tag } from './der.js';
import { KerberosError } from './errors.js';

const FRAME = 0x60;
/** 1.2.840.113554.1.2.2 */
const MECHANISM = Buffer.from('2a864886f712010202', 'hex');
export const TokenId = { apRequest: 0x0100, apReply: 0x0200, error: 0x0300 } as const;

// [APPLICATION 0] { OID mechanism, short id, message }
export function frame(id: number, message: Buffer): Buffer {
  return element(FRAME, element(Tag.oid, MECHANISM), Buffer.from([id >> 8, id & 0xff]), message);
}

/** @throws KerberosError if it is no token with this id */
export function unframe(id: number, token: Buffer): Buffer {
  const { tag, content, rest } = firstElement(contentOf(token, FRAME));
  if (tag !== Tag.oid || !content.equals(MECHANISM)) throw new KerberosError('a mechanism that is not Kerberos 5');
  if (rest.length < 2 || rest.readUInt16BE(0) !== id) throw new KerberosError('a token of another kind');
  return rest.subarray(2);
}

/** The key of a context, and whose sub-key it is. */
export interface ContextKey {
  readonly key: Key;
  readonly ofAcceptor: boolean;
}

export type Side = 'acceptor' | 'initiator';

const WRAP = 0x0504;
const HEAD = 16;
const Flag = { sentByAcceptor: 1, sealed: 2, acceptorSubkey: 4 } as const;

// Wrap: short 0x0504, byte flags, byte ff, short bytes of the checksum, short rotation, long number, message, checksum.
// The checksum is of message and head, with the lengths in it 0.

/** @param by who sends it */
export function wrap(context: ContextKey, by: Side, number: number, message: Buffer): Buffer {
  const head = Buffer.alloc(HEAD);
  head.writeUInt16BE(WRAP, 0);
  head[2] = flagsOf(context, by);
  head[3] = 0xff;
  head.writeBigUInt64BE(BigInt(number), 8);
  const checksum = context.key.checksum(usageOf(by), Buffer.concat([message, head]));
  head.writeUInt16BE(checksum.length, 4);
  return Buffer.concat([head, message, checksum]);
}

/**
 * The message in a token.
 * @param by who has to have sent it
 * @param number the place in the sequence that it has to have
 * @throws KerberosError if it was not sent so, or with another key
 */
export function unwrap(context: ContextKey, by: Side, number: number, token: Buffer): Buffer {
  if (token.length < HEAD || token.readUInt16BE(0) !== WRAP || token[3] !== 0xff) {
    throw new KerberosError('no wrapped message');
  }
  const flags = token.readUInt8(2);
  if (flags & Flag.sealed) throw new KerberosError('a sealed message, which nobody asked for');
  if (flags !== flagsOf(context, by)) throw new KerberosError('a message of the wrong side, or with another key');
  if (token.readBigUInt64BE(8) !== BigInt(number)) throw new KerberosError('a message out of sequence');
  const length = token.readUInt16BE(4);
  const body = rotatedLeft(token.subarray(HEAD), token.readUInt16BE(6));
  if (length !== context.key.enctype.checksumBytes || length > body.length) {
    throw new KerberosError('a checksum of the wrong length');
  }
  const message = body.subarray(0, body.length - length);
  const head = Buffer.from(token.subarray(0, HEAD)).fill(0, 4, 8);
  const expected = context.key.checksum(usageOf(by), Buffer.concat([message, head]));
  if (!timingSafeEqual(expected, body.subarray(body.length - length))) {
    throw new KerberosError('a message with a wrong checksum');
  }
  return message;
}

function flagsOf({ ofAcceptor }: ContextKey, by: Side): number {
  return (by === 'acceptor' ? Flag.sentByAcceptor : 0) | (ofAcceptor ? Flag.acceptorSubkey : 0);
}

function usageOf(by: Side): number {
  return by === 'acceptor' ? Usage.acceptorSeal : Usage.initiatorSeal;
}

function rotatedLeft(bytes: Buffer, by: number): Buffer {
  const cut = bytes.length === 0 ? 0 : by % bytes.length;
  return cut === 0 ? bytes : Buffer.concat([bytes.subarray(cut), bytes.subarray(0, cut)]);
}

// The checksum field of a GSS-API authenticator, RFC 4121, 4.1.1: int length 16, 16 bytes channel bindings, int flags, all
// little-endian; what follows are credentials that the client lends.
export const GSS_CHECKSUM = 0x8003;
export const GssFlag = { mutual: 2, replay: 4, sequence: 8, confidential: 16, integrity: 32 } as const;
const BINDINGS = 16;

export function gssChecksum(flags: number): Buffer {
  const bytes = Buffer.alloc(8 + BINDINGS);
  bytes.writeUInt32LE(BINDINGS, 0);
  bytes.writeUInt32LE(flags, 4 + BINDINGS);
  return bytes;
}

/** The flags in such a checksum. Bindings are not looked at: there is no channel below that both sides would know. */
export function gssFlags(checksum: Buffer): number {
  if (checksum.length < 8 + BINDINGS || checksum.readUInt32LE(0) !== BINDINGS) {
    throw new KerberosError('an authenticator without the flags of GSS-API');
  }
  return checksum.readUInt32LE(4 + BINDINGS);
}
