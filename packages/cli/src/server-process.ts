// The process of the server that runs in the background: its file, whether it lives, and whether it is a server at all.

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasSocket } from './port-owner.js';

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
  /** `other`: a process that is no server has the number now; `elsewhere`: the server of another data directory has it. */
  | { readonly state: 'ended' | 'other' | 'elsewhere' | 'running'; readonly pid: number };

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
    if (!isServer(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))) return { state: 'other', pid };
  } catch {
    return { state: 'running', pid }; // no /proc here: the file is believed
  }
  return {
    state: process.env.ZOOPIDFILE === undefined && isElsewhere(pid, dirname(file)) ? 'elsewhere' : 'running',
    pid,
  };
}

/** Whether a server holds other data directories, and not this one. Of Apache's, and of other users', that is not known. */
function isElsewhere(pid: number, dataDir: string): boolean {
  return hasSocket(pid, lockSockets()) && !hasSocket(pid, lockSockets(dataDir));
}

/**
 * The inodes of the sockets by which servers of this kind hold a directory, or any; the last part of their names is a number of
 * their own.
 */
export function lockSockets(dataDir?: string): Set<string> {
  const inodes = new Set<string>();
  try {
    const sockets = readFileSync('/proc/net/unix', 'latin1').split('\n');
    // After the sockets, as each has its name in the directory from the beginning.
    const names = dataDir === undefined ? undefined : new Set(readdirSync(dataDir));
    for (const line of sockets) {
      const [, , , , , , inode, path = ''] = line.split(/\s+/);
      // The kernel shows the name that the socket was made with.
      const id = /\/nodekeeper\.tmp\.(\w+)$/.exec(path)?.[1];
      if (id === undefined || inode === undefined) continue;
      if (names === undefined || names.has(`nodekeeper.lock.${id}`) || names.has(`nodekeeper.tmp.${id}`))
        inodes.add(inode);
    }
  } catch {
    // no such directory, or no /proc
  }
  return inodes;
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
