// Keeps two servers from using one data directory, or one directory for logs. Each server has a listening Unix socket there, so the lock ends with its process,
// however that ends, and holds between containers that share a volume but not process ids. Apache's servers take no notice of it.
//
// First show, then look: a socket gets its name only when it listens, and only afterwards its owner looks for others. Of two servers
// the later one therefore sees the earlier; if they start at the same moment both may give up, but never do both go on. Names are
// never used again, so removing a dead one cannot hit a live one.

import { randomBytes } from 'node:crypto';
import { readdirSync, realpathSync, renameSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { StorageError } from './errors.js';
import { systemCode } from './system-error.js';

const LOCK = 'nodekeeper.lock.';
const UNFINISHED = 'nodekeeper.tmp.';
const LONGEST_SOCKET_PATH = 107; // sun_path, less its end; a longer one would be cut, not refused

export interface DataLock {
  /** Lets another server in. */
  release(): Promise<void>;
}

/**
 * Takes the locks of several directories, each once. Returns undefined where the file systems have no sockets.
 * @throws StorageError if another server has one of them; none is taken then
 */
export async function lockDataDirs(dirs: Iterable<string>): Promise<DataLock | undefined> {
  const locks: DataLock[] = [];
  const release = async (): Promise<void> => {
    for (const lock of locks.splice(0)) await lock.release();
  };
  try {
    for (const dir of new Set([...dirs].map((one) => realpathSync(one)))) {
      const lock = await lockDataDir(dir);
      if (lock !== undefined) locks.push(lock);
    }
  } catch (e) {
    await release();
    throw e;
  }
  return locks.length === 0 ? undefined : { release };
}

/**
 * Takes the lock of `dataDir`. Returns undefined where the file system has no sockets: then nothing guards the directory.
 * @throws StorageError if another server has it
 */
export async function lockDataDir(dataDir: string): Promise<DataLock | undefined> {
  const id = randomBytes(4).toString('hex');
  const unfinished = join(dataDir, UNFINISHED + id);
  const own = LOCK + id;
  const server = await listen(unfinished, dataDir);
  if (server === undefined) return undefined;
  renameSync(unfinished, join(dataDir, own));
  const lock: DataLock = {
    async release() {
      unlinkIfThere(join(dataDir, own));
      await close(server);
    },
  };
  for (const name of readdirSync(dataDir)) {
    if (!name.startsWith(LOCK) || name === own) continue;
    const path = join(dataDir, name);
    if (await isAlive(path)) {
      await lock.release();
      throw new StorageError(
        path,
        undefined,
        'another server uses this data directory',
        'Stop it, or give this one a dataDir, and a dataLogDir if it has one, of its own',
      );
    }
    unlinkIfThere(path);
  }
  return lock;
}

async function listen(path: string, dataDir: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath(path), resolve);
    });
    return server;
  } catch (e) {
    if (e instanceof StorageError) throw e;
    if (['EOPNOTSUPP', 'ENOTSUP', 'EPERM'].includes(systemCode(e) ?? '')) return undefined;
    throw new StorageError(
      dataDir,
      undefined,
      `cannot be locked: ${(e as Error).message}`,
      'Check dataDir and its permissions',
    );
  }
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath(path));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Nobody listens, or nothing is there: dead. Any other failure counts as alive, to be on the safe side.
    socket.once('error', (e) => resolve(systemCode(e) !== 'ECONNREFUSED' && systemCode(e) !== 'ENOENT'));
  });
}

/** The absolute path, or the one from the working directory where that is too long. */
function socketPath(path: string): string {
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH) return path;
  const short = relative(process.cwd(), path);
  if (Buffer.byteLength(short) <= LONGEST_SOCKET_PATH) return short;
  throw new StorageError(path, undefined, 'the path is too long for a lock', 'Use a shorter dataDir');
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (e) {
    if (systemCode(e) !== 'ENOENT') throw e;
  }
}
