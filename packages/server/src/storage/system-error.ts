// The system's errors by their codes, whatever class they have: where code runs in a context of its own (node:vm, as test runners
// use it), Node's errors are no instances of its Error.

/** ENOENT, EACCES …; undefined for what is no error of the system's. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The system's error with the path in it: Node leaves that out where it has an open file only. Anything else stays as it is. */
export function named<T>(path: string, error: T): T {
  if (systemCode(error) === undefined || 'path' in (error as object)) return error;
  const { message, code, errno, syscall } = error as NodeJS.ErrnoException;
  return Object.assign(new Error(`${message} '${path}'`), { code, errno, syscall, path }) as T;
}
