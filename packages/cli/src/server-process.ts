// The process of the server that runs in the background: its file, whether it lives, and whether it is a server at all.

import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Where the process of the server with this data directory is written down. */
export function pidFile(dataDir: string): string {
  return process.env.ZOOPIDFILE ?? join(dataDir, 'zookeeper_server.pid');
}

/** What a pid file says. */
export type Written =
  /** There is no such file. */
  | { readonly state: 'missing' }
  /** It is no file, or may not be read. */
  | { readonly state: 'unreadable'; readonly error: string }
  | { readonly state: 'garbled' }
  /** `other`: a process that is no server has the number now. */
  | { readonly state: 'ended' | 'other' | 'running'; readonly pid: number };

export function readPidFile(file: string): Written {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (e) {
    const { code, message } = e as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { state: 'missing' } : { state: 'unreadable', error: message };
  }
  const pid = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(pid) || pid === 0) return { state: 'garbled' };
  if (!isAlive(pid)) return { state: 'ended', pid };
  try {
    return { state: isServer(readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ? 'running' : 'other', pid };
  } catch {
    return { state: 'running', pid }; // no /proc here: the file is believed
  }
}

/** Whether a command line is that of a server, this one's or Apache's. */
export function isServer(command: string): boolean {
  return /start-foreground|QuorumPeerMain|ZooKeeperServerMain/.test(command);
}

/** Whether the process runs. One that has ended may stay in the table until its parent looks, in some containers for ever. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'EPERM') return false; // EPERM: it runs, and is another user's
  }
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return true; // no /proc here, or not ours to read
  }
}

/** Removes the file of a server that has ended. One that stays does no harm, so it is only told. */
export function removePidFile(file: string): void {
  try {
    // ZOOPIDFILE may be /dev/null.
    if (statSync(file, { throwIfNoEntry: false })?.isFile()) rmSync(file);
  } catch (e) {
    process.stderr.write(`${file} could not be removed: ${(e as Error).message}\n`);
  }
}
