// Why a command failed, in zkCli's words, and with which exit code.

import { isKeeperError, type KeeperError } from '@nodekeeper/client';

/** A failure of the shell's own: wrong usage, an unknown command, no connection. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;
  /** Name of the error's code, if it is like one of a call. */
  readonly codeName: string | undefined;

  constructor(message: string, exitCode = 1, codeName?: string) {
    super(message);
    this.exitCode = exitCode;
    this.codeName = codeName;
  }
}

const TEXTS: Readonly<Record<string, (path: string) => string>> = {
  NoNode: (path) => `Node does not exist: ${path}`,
  NoChildrenForEphemerals: (path) => `Ephemerals cannot have children: ${path}`,
  NodeExists: (path) => `Node already exists: ${path}`,
  NotEmpty: (path) => `Node not empty: ${path}`,
  NotReadOnly: (path) => `Not a read-only call: ${path}`,
  InvalidAcl: (path) => `Acl is not valid : ${path}`,
  NoAuth: (path) => `Insufficient permission : ${path}`,
  BadVersion: (path) => `version No is not valid : ${path}`,
  QuotaExceeded: (path) => `Quota has exceeded : ${path}`,
  ReconfigInProgress: () => 'Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)',
  NewConfigNoQuorum: () =>
    'No quorum of new config is connected and up-to-date with the leader of last commmitted config - try invoking reconfiguration after new servers are connected and synced',
};

/** Where Java's name of an error differs from ours. */
const JAVA_NAMES: Readonly<Record<string, string>> = {
  ApiError: 'APIError',
  InvalidAcl: 'InvalidACL',
  NotEmpty: 'Directory not empty',
  SessionExpired: 'Session expired',
  InvalidCallback: 'Invalid callback',
  SessionMoved: 'Session moved',
  NotReadOnly: 'Not a read-only call',
  EphemeralOnLocalSession: 'Ephemeral node on local session',
  NoWatcher: 'No such watcher',
  ReconfigDisabled: 'Reconfig is disabled',
  SessionClosedRequireSaslAuth: 'Session closed because client failed to authenticate',
  QuotaExceeded: 'Quota has exceeded',
  ThrottledOp: 'Op throttled due to high load',
};

/** What zkCli says of the error. */
export function failureText(error: unknown): string {
  if (!isKeeperError(error)) return error instanceof Error ? error.message : String(error);
  const { codeName, operation } = error;
  if (codeName === 'BadArguments' && error.cause !== undefined) return causeText(error);
  // Java's client gives errors of a reconfiguration an empty path.
  const path = error.path ?? (operation === 'reconfig' ? '' : null);
  const text = codeName === 'BadArguments' ? `Arguments are not valid : ${path}` : TEXTS[codeName]?.(String(path));
  return text ?? keeperErrorCode(error);
}

/** Java's message of the error. */
export function keeperErrorCode({ codeName, path, outcomeUnknown }: KeeperError): string {
  const name = JAVA_NAMES[codeName] ?? codeName;
  const doubt = outcomeUnknown ? ' (it may have been executed all the same)' : '';
  return `KeeperErrorCode = ${name}${path === undefined ? '' : ` for ${path}`}${doubt}`;
}

function causeText({ cause }: KeeperError): string {
  return cause instanceof Error ? cause.message : String(cause);
}

export function exitCodeOf(error: unknown): number {
  return error instanceof CommandError ? error.exitCode : 1;
}

/** The error as a line: what zkCli says, or JSON. */
export function failureLine(error: unknown, json: boolean | undefined): string {
  return json ? JSON.stringify(failureJson(error)) : failureText(error);
}

/** The error as it is told with --json. */
export function failureJson(error: unknown): { error: Record<string, unknown> } {
  const message = failureText(error);
  if (error instanceof CommandError && error.codeName !== undefined)
    return { error: { message, code: error.codeName, outcomeUnknown: false } };
  if (!isKeeperError(error)) return { error: { message } };
  const { codeName, path, outcomeUnknown } = error;
  return { error: { message, code: codeName, ...(path === undefined ? {} : { path }), outcomeUnknown } };
}
