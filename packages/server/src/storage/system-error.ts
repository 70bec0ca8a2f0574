// The system's errors by their codes, whatever class they have: where code runs in a context of its own (node:vm, as test runners
// use it), Node's errors are no instances of its Error.

/** ENOENT, EACCES …; undefined for what is no error of the system's. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
