// The arguments of calls, and their checks.

import { type Acl, CreateMode, ErrorCode, isTtl, MAX_TTL, pathProblem } from '#protocol';
import { KeeperError } from './errors.js';
import type { CallOptions } from './options.js';
import type { Watcher } from './watch-events.js';

/** What a node can hold. A string is written as UTF-8; null is kept apart from no bytes. */
export type Data = Uint8Array | string | null;

export type CreateModeName = keyof typeof CreateMode;

export interface CreateSettings {
  /** No bytes if not given. */
  readonly data?: Data | undefined;
  /** `persistent` if not given. */
  readonly mode?: CreateModeName | undefined;
  /** Everybody may do everything if not given. */
  readonly acl?: readonly Acl[] | undefined;
  /** Of the modes with a time to live: milliseconds without change or children until the server deletes the node. */
  readonly ttl?: number | undefined;
}

export interface CreateOptions extends CreateSettings, CallOptions {
  /**
   * Puts `_c_<uuid>-` before the name, so that the node can be found and is not created twice when a connection is lost
   * during the call.
   */
  readonly protect?: boolean | undefined;
  /** Creates what is missing of the path above, as persistent nodes with the same ACL. */
  readonly createParents?: boolean | undefined;
}

export interface VersionOptions {
  /** Fails with BadVersion if the node's is another; -1, the default, for any. */
  readonly version?: number | undefined;
}

export interface WatchOptions {
  /** Called once, when what was read has changed. */
  readonly watcher?: Watcher | undefined;
  /** The same, told to the client's `onEvent` and its event `watch`. */
  readonly watch?: boolean | undefined;
}

export interface ReadOptions extends CallOptions, WatchOptions {}

const EMPTY = new Uint8Array(0);

export function bytesOf(data: Data | undefined): Uint8Array | null {
  if (data === undefined) return EMPTY;
  return typeof data === 'string' ? Buffer.from(data) : data;
}

/**
 * What a program without types may have given.
 * @throws KeeperError BadArguments
 */
export function checkData(operation: string, path: string, data: unknown): void {
  if (data === undefined || data === null || typeof data === 'string' || data instanceof Uint8Array) return;
  const message = `data must be a string, bytes (a Uint8Array) or null, and is ${typeof data}`;
  throw new KeeperError(ErrorCode.BadArguments, operation, path, { message });
}

/**
 * A time to live stands with the modes that have one, and only there: with others it would stop Apache's servers.
 * @throws KeeperError BadArguments
 */
export function checkSettings(path: string, { data, mode = 'persistent', acl, ttl }: CreateSettings): void {
  checkData('create', path, data);
  const fail = (message: string): never => {
    throw new KeeperError(ErrorCode.BadArguments, 'create', path, { message });
  };
  const flags = CreateMode[mode];
  if (flags === undefined) fail(`mode ${String(mode)} is not known: ${Object.keys(CreateMode).join(', ')}`);
  if (acl !== undefined && !Array.isArray(acl)) fail('acl must be a list of { scheme, id, perms }');
  if (!isTtl(flags)) {
    if (ttl !== undefined) fail('ttl needs a mode with a time to live');
  } else if (!(Number.isInteger(ttl) && Number(ttl) > 0 && Number(ttl) <= MAX_TTL)) {
    fail(`ttl must be 1 to ${MAX_TTL} ms`);
  }
}

/** @throws KeeperError BadArguments */
export function checkPath(operation: string, path: string, isSequential: boolean): void {
  const problem = pathProblem(isSequential ? `${path}1` : path);
  if (problem !== null) throw new KeeperError(ErrorCode.BadArguments, operation, path, { message: problem });
}
