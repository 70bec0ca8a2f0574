// Which process is the server of a configuration: not every server on its port is.

import { readlinkSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { clientPlace, type ServerConfig } from '@nodekeeper/server/config';
import { findPortOwner, hasSocket, isListening, listenAddress, type PortOwner } from '../port-owner.js';
import { allPorts } from '../ports.js';
import { isServer, lockSockets, pidFile, readPidFile } from '../server-process.js';
import { fourLetterWord } from '../server-status.js';

const TIMEOUT_MS = 3000;

/** The process of the server that uses the configuration's data directory, if it listens on one of its ports. */
export async function ownServer(config: ServerConfig): Promise<number | undefined> {
  for (const { port, host } of allPorts(config)) {
    const address = await listenAddress(host);
    const owner = findPortOwner(port, address);
    if (owner === undefined && isListening(port, address)) {
      // Another user's process, whose sockets only root may see: its file has to do.
      const written = readPidFile(pidFile(config.dataDir));
      if (written.state === 'running') return written.pid;
    }
    if (owner !== undefined && isServer(owner.command) && (await usesDataDir(owner, config))) return owner.pid;
  }
  return undefined;
}

/** By its pid file, its lock, the configuration that Apache's was started with, or its own word. */
async function usesDataDir({ pid, command }: PortOwner, config: ServerConfig): Promise<boolean> {
  const written = readPidFile(pidFile(config.dataDir));
  if (written.state === 'running' && written.pid === pid) return true;
  if (hasSocket(pid, lockSockets(config.dataDir))) return true;
  if (
    config.path !== undefined &&
    /ZooKeeperServerMain|QuorumPeerMain/.test(command) &&
    namesFile(pid, command, config.path)
  )
    return true;
  const { host, port } = clientPlace(config);
  const conf = port === undefined ? undefined : await fourLetterWord(host, port, 'conf', TIMEOUT_MS);
  const dataDir = /^dataDir=(.*?)(\/version-2)?$/m.exec(conf ?? '')?.[1];
  return dataDir !== undefined && real(dataDir) === real(config.dataDir);
}

/** Whether a word of the command line is the path of the file, as seen from the process. */
function namesFile(pid: number, command: string, path: string): boolean {
  try {
    const cwd = readlinkSync(`/proc/${pid}/cwd`);
    return command.split(' ').some((word) => word !== '' && real(resolve(cwd, word)) === real(path));
  } catch {
    return false; // gone, or another user's
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
