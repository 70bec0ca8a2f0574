// Builds a transaction whose results have types.

import { CreateMode, isSequential, OPEN_ACL_UNSAFE, type Stat } from '#protocol';
import { bytesOf, type CreateSettings, checkData, checkSettings, type VersionOptions } from './arguments.js';
import {
  type CreatedInTransaction,
  checkOperation,
  createOperation,
  deleteOperation,
  type SubOperation,
  setDataOperation,
} from './multi.js';
import type { CallOptions } from './options.js';

export interface TransactionTarget {
  /** Checks a path and puts the chroot before it. */
  serverPath(operation: string, path: string, isSequential?: boolean): string;
  commit(operations: readonly SubOperation[], options: CallOptions | undefined): Promise<unknown[]>;
}

/**
 * Operations that succeed or fail together. Each method adds one and returns the transaction with the type of its result:
 * `const [made, stat] = await client.transaction().create('/a').setData('/b', 'x').commit()`.
 */
export class Transaction<R extends readonly unknown[] = []> {
  private readonly target: TransactionTarget;
  private readonly operations: readonly SubOperation[];

  constructor(target: TransactionTarget, operations: readonly SubOperation[] = []) {
    this.target = target;
    this.operations = operations;
  }

  get length(): number {
    return this.operations.length;
  }

  create(path: string, settings: CreateSettings = {}): Transaction<[...R, CreatedInTransaction]> {
    const mode = CreateMode[settings.mode ?? 'persistent'];
    const serverPath = this.target.serverPath('create', path, isSequential(mode));
    const { data, acl = OPEN_ACL_UNSAFE, ttl } = settings;
    checkSettings(path, settings);
    return this.with(createOperation(path, serverPath, bytesOf(data), acl, mode, ttl ?? -1));
  }

  delete(path: string, { version = -1 }: VersionOptions = {}): Transaction<[...R, undefined]> {
    return this.with(deleteOperation(path, this.target.serverPath('delete', path), version));
  }

  setData(
    path: string,
    data: Uint8Array | string | null,
    { version = -1 }: VersionOptions = {},
  ): Transaction<[...R, Stat]> {
    checkData('setData', path, data);
    return this.with(setDataOperation(path, this.target.serverPath('setData', path), bytesOf(data), version));
  }

  /** Demands that the node exists, with this version if one is given. */
  check(path: string, { version = -1 }: VersionOptions = {}): Transaction<[...R, undefined]> {
    return this.with(checkOperation(path, this.target.serverPath('check', path), version));
  }

  /** Executes it. Rejects with {@link TransactionError} if an operation fails; then none was executed. */
  commit(options?: CallOptions): Promise<R> {
    return this.target.commit(this.operations, options) as Promise<unknown> as Promise<R>;
  }

  private with<N extends readonly unknown[]>(operation: SubOperation): Transaction<N> {
    return new Transaction<N>(this.target, [...this.operations, operation]);
  }
}
