// Whom the process runs as. In containers that is often a number which no entry of the system's user list explains.

import { userInfo } from 'node:os';

export interface ProcessUser {
  readonly name: string;
  readonly home: string;
}

/** What the system knows, or else the environment; the name is the number if neither has one. */
export function processUser(): ProcessUser {
  try {
    const { username, homedir } = userInfo();
    return { name: username, home: homedir };
  } catch {
    const { USER, HOME } = process.env;
    return { name: USER ?? String(process.getuid?.() ?? '?'), home: HOME ?? '?' };
  }
}
