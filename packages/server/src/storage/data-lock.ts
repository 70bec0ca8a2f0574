// Keeps two servers from using one data directory, or one directory for logs. Each server has a listening Unix socket there, so the lock ends with its process,
// however that ends, and holds between containers that share a volume but not process ids. Apache's servers take no notice of it.
//
// First show, then look: a socket gets its name only when it listens, and only afterwards its owner looks for others. Of two servers
// the later one therefore sees the earlier; if they start at the same moment both may give up, but never do both go on. Names are
// never used again, so removing a dead one cannot hit a live one.

import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readdirSync, realpathSync, renameSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { StorageError } from './errors.js';
import { systemCode } from './system-error.js';

const LOCK = 'nodekeeper.lock.';
const UNFINISHED = 'nodekeeper.tmp.'; // no longer than LOCK
const ID_LENGTH = 8;
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
  const { path, close: leave } = socketDir(dataDir);
  try {
    return await lockIn(dataDir, path);
  } finally {
    leave();
  }
}

/** @param sockets the directory as sockets can be called by */
async function lockIn(dataDir: string, sockets: string): Promise<DataLock | undefined> {
  const id = randomBytes(ID_LENGTH / 2).toString('hex');
  const unfinished = UNFINISHED + id;
  const own = LOCK + id;
  const server = await listen(join(sockets, unfinished), dataDir);
  if (server === undefined) return undefined;
  try {
    renameSync(join(dataDir, unfinished), join(dataDir, own));
  } catch (e) {
    await close(server); // its file goes with it
    throw e;
  }
  const lock: DataLock = {
    async release() {
      unlinkIfThere(join(dataDir, own));
      await close(server);
    },
  };
  for (const name of readdirSync(dataDir)) {
    if (!name.startsWith(LOCK) || name === own) continue;
    const path = join(dataDir, name);
    if (await isAlive(join(sockets, name))) {
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
      server.listen(path, resolve);
    });
    return server;
  } catch (e) {
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
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Nobody listens, or nothing is there: dead. Any other failure counts as alive, to be on the safe side.
    socket.once('error', (e) => resolve(systemCode(e) !== 'ECONNREFUSED' && systemCode(e) !== 'ENOENT'));
  });
}

/** The directory under a name short enough for sockets in it, until `close` is called. */
function socketDir(dir: string): { readonly path: string; close(): void } {
  for (const path of [dir, relative(process.cwd(), dir)])
    if (Buffer.byteLength(join(path, LOCK)) + ID_LENGTH <= LONGEST_SOCKET_PATH) return { path, close: () => {} };
  if (process.platform !== 'linux')
    throw new StorageError(dir, undefined, 'the path is too long for a lock', 'Use a shorter dataDir');
  const fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
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
