// The write requests as records, decoded from a request's body. A body that ends early or holds an impossible length throws
// DecodeError; a null where a value is needed is left for `prepare` to judge, as Apache's server does.

import {
  type Acl,
  DecodeError,
  ErrorCode,
  isEphemeral,
  isSequential,
  isTtl,
  type JuteReader,
  MAX_TTL,
  OPEN_ACL_UNSAFE,
  OpCode,
  readAclList,
} from '@nodekeeper/protocol';
import type { ReconfigRequest } from '../quorum/reconfigure.js';
import { skipOpenAcl } from '../tree/open-acl.js';
import { ROOT_LIMITS, spoilsCounts } from '../tree/quota.js';

export interface CreateRequest {
  readonly type: number;
  readonly path: string | null;
  /** Where the data stand in the body, and how long they are: -1 for null. */
  readonly dataAt: number;
  readonly dataLength: number;
  readonly acl: readonly Acl[] | null;
  readonly flags: number;
  /** Milliseconds; -1 where the request has none. */
  readonly ttl: number;
}

export interface DeleteRequest {
  readonly type: number;
  readonly path: string | null;
  readonly version: number;
}

export interface SetDataRequest {
  readonly type: number;
  readonly path: string | null;
  /** As in a {@link CreateRequest}. */
  readonly dataAt: number;
  readonly dataLength: number;
  readonly version: number;
}

export interface SetAclRequest {
  readonly type: number;
  readonly path: string | null;
  readonly acl: readonly Acl[] | null;
  readonly version: number;
}

/** A part of a multi. */
export type SubRequest = CreateRequest | DeleteRequest | SetDataRequest;

// CreateRequest: ustring path, buffer data, vector<ACL> acl, int flags; CreateTTLRequest adds long ttl
export function decodeCreate(type: number, r: JuteReader): CreateRequest {
  const path = r.string();
  const dataLength = r.skipBuffer();
  const dataAt = r.pos - dataLength;
  const acl = skipOpenAcl(r) ? OPEN_ACL_UNSAFE : readAclList(r);
  const flags = r.int();
  return { type, path, dataAt, dataLength, acl, flags, ttl: type === OpCode.createTTL ? r.long53() : -1 };
}

/**
 * What is wrong with the flags and the ttl of a create: an error code, or 0. Apache's servers accept some of these and die of
 * the transaction.
 */
export function createProblem(request: CreateRequest, extendedTypesEnabled: boolean): number {
  const { flags } = request;
  if (flags < 0 || flags > 6) return ErrorCode.BadArguments;
  if (isTtl(flags)) {
    if (!extendedTypesEnabled) return ErrorCode.Unimplemented;
    return request.ttl < 1 || request.ttl > MAX_TTL ? ErrorCode.BadArguments : ErrorCode.Ok;
  }
  return request.ttl >= 0 || request.type === OpCode.createTTL ? ErrorCode.BadArguments : ErrorCode.Ok;
}

/**
 * Whether Apache's servers accept it and make a transaction that ends them, now or later, and at every start (measured: 3.8.0, and
 * 3.9.5 for TTL nodes).
 */
export function killsApache(request: SubRequest, body: Buffer): boolean {
  const { type, path } = request;
  if (path === null || !('dataAt' in request)) return false;
  if (!('flags' in request)) return spoilsCounts(path, body, request.dataAt, request.dataLength);
  const { flags, ttl } = request;
  return (type === OpCode.createTTL && !isTtl(flags) && ttl < 0) || (path === ROOT_LIMITS && !isSequential(flags));
}

// DeleteRequest: ustring path, int version. CheckVersionRequest has the same shape.
export function decodeDelete(type: number, r: JuteReader): DeleteRequest {
  return { type, path: r.string(), version: r.int() };
}

// SetDataRequest: ustring path, buffer data, int version
export function decodeSetData(r: JuteReader): SetDataRequest {
  const path = r.string();
  const dataLength = r.skipBuffer();
  return { type: OpCode.setData, path, dataAt: r.pos - dataLength, dataLength, version: r.int() };
}

// SetACLRequest: ustring path, vector<ACL> acl, int version
export function decodeSetAcl(r: JuteReader): SetAclRequest {
  return { type: OpCode.setACL, path: r.string(), acl: readAclList(r), version: r.int() };
}

// repeat { MultiHeader: int type, boolean done, int err; record } until done. Only `done` ends the list.
export function decodeMulti(r: JuteReader): SubRequest[] {
  const ops: SubRequest[] = [];
  for (;;) {
    const type = r.int();
    const done = r.bool();
    r.int();
    if (done) return ops;
    switch (type) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        ops.push(asMultiCreate(decodeCreate(type, r)));
        break;
      case OpCode.delete:
      case OpCode.check:
        ops.push(decodeDelete(type, r));
        break;
      case OpCode.setData:
        ops.push(decodeSetData(r));
        break;
      default:
        throw new DecodeError(`operation ${type} cannot be part of a multi`);
    }
  }
}

/**
 * In a multi the flags decide which kind of create it is, and an ACL of null cannot be read: Apache's 3.7.2, 3.8.2 and 3.9 leading
 * answer that without taking a zxid, which ends their followers (3.9: Op.Create, MultiOperationRecord and CreateOptions).
 */
function asMultiCreate(op: CreateRequest): CreateRequest {
  if (op.type === OpCode.createTTL) {
    if (isTtl(op.flags)) return op;
    return { ...op, type: op.flags === 4 ? OpCode.createContainer : OpCode.create, ttl: -1 };
  }
  if (op.acl === null) throw new DecodeError('a null ACL for a create within a multi');
  if (op.flags < 0 || op.flags > 4) throw new DecodeError(`invalid flags ${op.flags} for a create within a multi`);
  return op.flags === 4 ? { ...op, type: OpCode.createContainer } : op;
}

// ReconfigRequest: ustring joiningServers, ustring leavingServers, ustring newMembers, long curConfigId
export function decodeReconfig(r: JuteReader): ReconfigRequest {
  return { joining: r.string(), leaving: r.string(), members: r.string(), expected: r.long53() };
}

/** Whether a write makes an ephemeral node, which needs a session that all servers know. */
export function makesEphemeral(op: number, r: JuteReader): boolean {
  const ephemeral = (part: SubRequest): boolean =>
    (part.type === OpCode.create || part.type === OpCode.create2) && 'flags' in part && isEphemeral(part.flags);
  try {
    if (op === OpCode.create || op === OpCode.create2) return ephemeral(decodeCreate(op, r));
    return op === OpCode.multi && decodeMulti(r).some(ephemeral);
  } catch (e) {
    if (e instanceof DecodeError) return false;
    throw e;
  }
}
