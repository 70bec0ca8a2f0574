// The error of every failed call, with the question that matters most answered: can it have happened all the same?

import { ErrorCode, errorName } from '#protocol';

/** Of this client alone: the call came after `close`, or was overtaken by it. The number is the C client's ZCLOSING. */
export const CLOSED = -116;

export interface KeeperErrorDetails {
  readonly outcomeUnknown?: boolean | undefined;
  readonly message?: string | undefined;
  readonly cause?: unknown;
}

/** A failed call. Compare `code` with {@link ErrorCode}, or `codeName` with its name. */
export class KeeperError extends Error {
  override readonly name = 'KeeperError';
  readonly code: number;
  /** `NoNode`, `ConnectionLoss` …; `Closed` for {@link CLOSED}. */
  readonly codeName: string;
  /** `getData`, `multi` …, as the protocol calls them. */
  readonly operation: string;
  readonly path: string | undefined;
  /** True if the server may have executed the request: it was sent, and no answer came. With retries: any of them. */
  outcomeUnknown: boolean;

  constructor(code: number, operation: string, path?: string, details: KeeperErrorDetails = {}) {
    const codeName = code === CLOSED ? 'Closed' : errorName(code);
    const where = path === undefined ? operation : `${operation} ${path}`;
    const reason = details.message === undefined ? '' : `: ${details.message}`;
    super(`${codeName} (${code}) in ${where}${reason}`, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.codeName = codeName;
    this.operation = operation;
    this.path = path;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
  }
}

/**
 * Whether `error` is a {@link KeeperError}, with this code if one is given by name: `isKeeperError(e, 'NoNode')`. Asks by
 * name and not by class, as a program can hold this package twice, by `import` and by `require`.
 */
export function isKeeperError(error: unknown, name?: keyof typeof ErrorCode | 'Closed'): error is KeeperError {
  if (!(error instanceof Error) || error.name !== 'KeeperError' || !('code' in error)) return false;
  return name === undefined || error.code === (name === 'Closed' ? CLOSED : ErrorCode[name]);
}
