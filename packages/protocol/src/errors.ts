// Error codes of the protocol and the exception type that carries them. Source: KeeperException.Code of Apache ZooKeeper.

export const ErrorCode = {
  Ok: 0,
  SystemError: -1,
  RuntimeInconsistency: -2,
  DataInconsistency: -3,
  ConnectionLoss: -4,
  MarshallingError: -5,
  Unimplemented: -6,
  OperationTimeout: -7,
  BadArguments: -8,
  UnknownSession: -12,
  NewConfigNoQuorum: -13,
  ReconfigInProgress: -14,
  ApiError: -100,
  NoNode: -101,
  NoAuth: -102,
  BadVersion: -103,
  NoChildrenForEphemerals: -108,
  NodeExists: -110,
  NotEmpty: -111,
  SessionExpired: -112,
  InvalidCallback: -113,
  InvalidAcl: -114,
  AuthFailed: -115,
  SessionMoved: -118,
  NotReadOnly: -119,
  EphemeralOnLocalSession: -120,
  NoWatcher: -121,
  RequestTimeout: -122,
  ReconfigDisabled: -123,
  SessionClosedRequireSaslAuth: -124,
  QuotaExceeded: -125,
  ThrottledOp: -127,
} as const;

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

const names = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

/** The name of an error code, or `error N` for one that has none. */
export function errorName(code: number): string {
  return names.get(code) ?? `error ${code}`;
}

/** A protocol error as an exception. On the server's hot path errors travel as plain codes instead. */
export class KeeperError extends Error {
  override readonly name = 'KeeperError';
  readonly code: number;
  readonly op: string;
  readonly path: string | undefined;

  constructor(code: number, op: string, path?: string) {
    super(`${errorName(code)} (${code}) in ${op}${path === undefined ? '' : ` of ${path}`}`);
    this.code = code;
    this.op = op;
    this.path = path;
  }
}
