// The system's errors by their codes, whatever class they have: where code runs in a context of its own (node:vm, as test runners
// use it), Node's errors are no instances of its Error.

import { constants } from 'node:os';

/** ENOENT, EACCES …; undefined for what is no error of the system's. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The system's error with the path in it: Node leaves that out where it has an open file only. Anything else stays as it is. */
export function named<T>(path: string, error: T): T {
  if (systemCode(error) === undefined) return error;
  const { message, code = '', errno, syscall = '', path: told } = error as NodeJS.ErrnoException;
  const name = nameOf(code, errno);
  if (told !== undefined && name === code) return error;
  const text =
    name === code ? message : `${name}: system error ${errno}${message.slice(message.indexOf(`, ${syscall}`))}`;
  const where = told === undefined ? ` '${path}'` : '';
  return Object.assign(new Error(text + where), { code: name, errno, syscall, path: told ?? path }) as T;
}

/** Node has no names for the errors of quotas and of network file systems, EDQUOT and ESTALE. */
function nameOf(code: string, errno: number | undefined): string {
  if (code !== 'UNKNOWN' && !code.startsWith('Unknown system error')) return code;
  return Object.entries(constants.errno).find(([, value]) => -value === errno)?.[0] ?? code;
}
