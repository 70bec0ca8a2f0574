// Several operations in one request: a transaction, all or nothing; and reads, each on its own.

import {
  type Acl,
  type CreateMode,
  ErrorCode,
  type JuteReader,
  type JuteWriter,
  OpCode,
  opName,
  readStat,
  type Stat,
} from '#protocol';
import { KeeperError } from './errors.js';
import { createOp, type NodeData, type Request, readNodeData, readStrings, writeCreate } from './requests.js';

/** One operation of a transaction. */
export interface SubOperation {
  readonly op: number;
  /** As the program knows it. */
  readonly path: string;
  write(w: JuteWriter): void;
}

/** What `create` gives in a transaction. Servers before 3.9 do not tell the Stat of a plain node there. */
export interface CreatedInTransaction {
  readonly path: string;
  readonly stat: Stat | undefined;
}

/** A transaction that was not executed. `code` and `path` are those of the operation that failed. */
export class TransactionError extends KeeperError {
  /** Position of the operation that failed. */
  readonly index: number;
  /** The code of each operation: 0 before the one that failed, RuntimeInconsistency after it. */
  readonly codes: readonly number[];

  constructor(codes: readonly number[], operations: readonly SubOperation[]) {
    const index = codes.findIndex((code) => code !== ErrorCode.Ok);
    const failed = operations[index];
    const operation = `multi: ${failed === undefined ? 'operation' : opName(failed.op)}`;
    super(codes[index] ?? ErrorCode.SystemError, operation, failed?.path, { message: `operation ${index}` });
    this.index = index;
    this.codes = codes;
  }
}

export function createOperation(
  path: string,
  serverPath: string,
  data: Uint8Array | null,
  acl: readonly Acl[],
  mode: CreateMode,
  ttl: number,
): SubOperation {
  return { op: createOp(mode), path, write: (w) => writeCreate(w, serverPath, data, acl, mode, ttl) };
}

export function deleteOperation(path: string, serverPath: string, version: number): SubOperation {
  return { op: OpCode.delete, path, write: (w) => w.string(serverPath).int(version) };
}

export function setDataOperation(
  path: string,
  serverPath: string,
  data: Uint8Array | null,
  version: number,
): SubOperation {
  return { op: OpCode.setData, path, write: (w) => w.string(serverPath).buffer(data).int(version) };
}

export function checkOperation(path: string, serverPath: string, version: number): SubOperation {
  return { op: OpCode.check, path, write: (w) => w.string(serverPath).int(version) };
}

export function readOperation(op: 'getData' | 'getChildren', path: string, serverPath: string): SubOperation {
  return { op: OpCode[op], path, write: (w) => w.string(serverPath).bool(false) };
}

// MultiHeader: int type, boolean done, int err; one before each operation or result, and one that ends them
function writeAll(w: JuteWriter, operations: readonly SubOperation[]): void {
  for (const one of operations) {
    w.int(one.op).bool(false).int(-1);
    one.write(w);
  }
  w.int(-1).bool(true).int(-1);
}

/** What a result holds is told by its own type: servers answer some creations with another type than was asked. */
function readAll(r: JuteReader, visible: (path: string) => string): { err: number; value: unknown }[] {
  const results: { err: number; value: unknown }[] = [];
  for (;;) {
    const type = r.int();
    const done = r.bool();
    r.int();
    if (done) return results;
    if (type === OpCode.error) results.push({ err: r.int(), value: undefined });
    else results.push({ err: ErrorCode.Ok, value: readResult(r, type, visible) });
  }
}

function readResult(r: JuteReader, type: number, visible: (path: string) => string): unknown {
  switch (type) {
    case OpCode.create:
      return { path: visible(r.string() ?? ''), stat: undefined };
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return { path: visible(r.string() ?? ''), stat: readStat(r) };
    case OpCode.setData:
      return readStat(r);
    case OpCode.getData:
      return readNodeData(r);
    case OpCode.getChildren:
      return readStrings(r);
    case OpCode.delete:
    case OpCode.check:
      return undefined;
    default:
      throw new KeeperError(ErrorCode.MarshallingError, 'multi', undefined, { message: `a result of type ${type}` });
  }
}

/** Fails with {@link TransactionError} if an operation does. */
export function transaction(
  operations: readonly SubOperation[],
  visible: (path: string) => string,
): Request<unknown[]> {
  return {
    op: OpCode.multi,
    path: undefined,
    write: (w) => writeAll(w, operations),
    read: (r) => {
      const results = readAll(r, visible);
      const codes = results.map(({ err }) => err);
      if (codes.some((code) => code !== ErrorCode.Ok)) throw new TransactionError(codes, operations);
      return results.map(({ value }) => value);
    },
  };
}

export interface ReadGetData {
  readonly op: 'getData';
  readonly path: string;
}
export interface ReadGetChildren {
  readonly op: 'getChildren';
  readonly path: string;
}
export type ReadOperation = ReadGetData | ReadGetChildren;
/** What a read in a `multiRead` gives; its failure is a value there, as the others go on. */
export type ReadResult<O extends ReadOperation> = (O extends ReadGetData ? NodeData : string[]) | KeeperError;

export function multiRead(operations: readonly SubOperation[]): Request<unknown[]> {
  return {
    op: OpCode.multiRead,
    path: undefined,
    write: (w) => writeAll(w, operations),
    read: (r) =>
      readAll(r, (path) => path).map(({ err, value }, i) => {
        const one = operations[i];
        return err === ErrorCode.Ok || one === undefined ? value : new KeeperError(err, opName(one.op), one.path);
      }),
  };
}
