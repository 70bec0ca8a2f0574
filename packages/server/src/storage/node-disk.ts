// The real file system.

import {
  close,
  closeSync,
  constants,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncate,
  ftruncateSync,
  mkdirSync,
  open,
  openSync,
  promises,
  readdirSync,
  readFileSync,
  readSync,
  rename,
  renameSync,
  statSync,
  unlinkSync,
  write,
  writeFileSync,
  writeSync,
  writev,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Disk, LogFile, ReadableFile, WritableFile } from './disk.js';
import { named, systemCode } from './system-error.js';

const REWRITTEN_AT_ONCE = 1024 * 1024;
/** Of a large file; with the pause, a log beside it waits a few ms at most where a whole 800 MB cost it 150. Bytes. */
const FREED_AT_ONCE = 16 * 1024 * 1024;
const FREE_PAUSE_MS = 1;
const LOG_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;

export const nodeDisk: Disk = {
  list(dir) {
    try {
      return readdirSync(dir);
    } catch (e) {
      if (systemCode(e) === 'ENOENT') return [];
      throw e;
    }
  },

  size(path) {
    try {
      return statSync(path).size;
    } catch (e) {
      if (['ENOENT', 'ENOTDIR'].includes(systemCode(e) ?? '')) return undefined;
      throw e;
    }
  },

  // mkdirSync's own recursion never ends where a directory is there and takes none, as /proc.
  makeDir(dir) {
    const missing: string[] = [];
    for (let at = resolve(dir); !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.push(at);
    for (const one of missing.reverse()) {
      try {
        mkdirSync(one);
        this.syncDir(dirname(one));
      } catch (e) {
        if (systemCode(e) !== 'EEXIST') throw e; // somebody else may make it too
      }
    }
    if (!statSync(dir).isDirectory()) throw new Error(`${dir} is no directory`);
  },

  open(path): ReadableFile {
    const fd = openSync(path, 'r');
    return {
      size: fstatSync(fd).size,
      read(into, offset, length, position) {
        try {
          return readSync(fd, into, offset, length, position);
        } catch (e) {
          throw named(path, e);
        }
      },
      close: () => closeSync(fd),
    };
  },

  createLog(path, durable, done) {
    // O_DSYNC: one system call writes and syncs the data, which is a trip to the thread pool less for each batch.
    const flags = durable ? constants.O_DSYNC : 0;
    // Linux tells an error of writing back once for each open file: of two writes at once, each has to hear of it. Zeros go
    // through a descriptor that does not sync each write.
    openAll(path, [LOG_FLAGS | flags, constants.O_WRONLY | flags, constants.O_WRONLY], (error, fds) => {
      const [fd = -1, second = -1, zeroFd = -1] = fds;
      if (error === null) done(null, logFile([fd, second], zeroFd));
      else done(error, null);
    });
  },

  async create(path): Promise<WritableFile> {
    const file = await promises.open(path, 'w');
    const told = <T>(result: Promise<T>): Promise<T> =>
      result.catch((e) => {
        throw named(path, e);
      });
    return {
      async write(from) {
        for (let at = 0; at < from.length; ) at += (await told(file.write(from, at, from.length - at))).bytesWritten;
      },
      sync: () => told(file.datasync()),
      close: () => file.close(),
    };
  },

  rename: renameSync,
  renameLater: rename,
  remove(path) {
    try {
      unlinkSync(path);
    } catch (e) {
      if (systemCode(e) !== 'ENOENT') throw e;
    }
  },

  removeLarge(path) {
    let fd: number | undefined;
    try {
      fd = openSync(path, 'r+');
    } catch {
      // Removing it needs other rights than opening it, and says what fails.
    }
    try {
      this.remove(path);
    } catch (e) {
      if (fd !== undefined) closeSync(fd);
      throw e;
    }
    return async () => {
      if (fd !== undefined) await freeGradually(fd);
    };
  },

  truncate(path, size) {
    withFile(path, 'r+', (fd) => {
      ftruncateSync(fd, size);
      fsyncSync(fd);
    });
  },

  rewrite(path, from, to) {
    withFile(path, 'r+', (fd) => {
      const piece = Buffer.allocUnsafe(Math.min(REWRITTEN_AT_ONCE, to - from));
      for (let at = from; at < to; ) {
        const read = readSync(fd, piece, 0, Math.min(piece.length, to - at), at);
        if (read === 0) throw new Error(`${path} ends before ${to}`);
        for (let written = 0; written < read; ) written += writeSync(fd, piece, written, read - written, at + written);
        at += read;
      }
      fsyncSync(fd);
    });
  },

  syncDir(dir) {
    withFile(dir, 'r', fsyncSync);
  },

  syncDirLater(dir, done) {
    open(dir, 'r', (openError, fd) => {
      if (openError !== null) {
        done(openError);
        return;
      }
      fsync(fd, (error) => close(fd, (closeError) => done(named(dir, error ?? closeError ?? null))));
    });
  },

  readText(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch (e) {
      if (systemCode(e) === 'ENOENT') return undefined;
      throw named(path, e);
    }
  },

  replaceText(path, text) {
    const temporary = `${path}.tmp`;
    withFile(temporary, 'w', (fd) => {
      writeFileSync(fd, text); // all of it: a disk that is nearly full takes a part without an error
      fdatasyncSync(fd);
    });
    renameSync(temporary, path);
    this.syncDir(dirname(path));
  },
  note(path, text, done) {
    // Not on this thread: it may have to wait for the file system's journal.
    open(path, constants.O_WRONLY | constants.O_CREAT, (error, fd) => {
      if (error !== null) done();
      else write(fd, text, 0, () => close(fd, done));
    });
  },
};

/** Gives back the blocks of a file, unless it has a name still, and closes it: backups are made of hard links, too. */
async function freeGradually(fd: number): Promise<void> {
  try {
    const { nlink, size } = fstatSync(fd);
    for (let left = nlink > 0 ? 0 : size - FREED_AT_ONCE; left > 0; left -= FREED_AT_ONCE) {
      await promisify(ftruncate)(fd, left);
      await setTimeout(FREE_PAUSE_MS);
    }
  } finally {
    await promisify(close)(fd);
  }
}

/** Does something with a file that is open meanwhile. */
function withFile(path: string, flags: string, action: (fd: number) => void): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, flags);
    action(fd);
  } catch (e) {
    throw named(path, e);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Opens a file once with each of the flags, in their order; if one cannot be opened, none stays open. */
function openAll(
  path: string,
  flags: readonly number[],
  done: (error: Error | null, fds: readonly number[]) => void,
  opened: readonly number[] = [],
): void {
  const next = flags[opened.length];
  if (next === undefined) {
    done(null, opened);
    return;
  }
  open(path, next, 0o644, (error, fd) => {
    if (error === null) {
      openAll(path, flags, done, [...opened, fd]);
      return;
    }
    for (const one of opened) close(one, () => {});
    done(error, []);
  });
}

const ZEROS = Buffer.alloc(1024 * 1024);

/** @param fds for writes, one at a time each */
function logFile(fds: readonly [number, number], zeroFd: number): LogFile {
  const [fd, second] = fds;
  const free = [...fds];
  let zeroing = false;
  let closing: (() => void) | undefined;
  const writeAll = (
    by: number,
    parts: readonly Buffer[],
    position: number,
    done: (error: Error | null) => void,
  ): void => {
    writev(by, parts, position, (error, written) => {
      const rest = error === null ? withoutFirst(parts, written) : [];
      if (rest.length > 0) writeAll(by, rest, position + written, done);
      else done(error);
    });
  };
  return {
    write(parts, position, done) {
      const by = free.pop();
      if (by === undefined) throw new RangeError('two writes at a time');
      writeAll(by, parts, position, (error) => {
        free.push(by);
        done(error);
      });
    },
    resize: (size, done) => ftruncate(fd, size, done),
    zero(position, length, done) {
      if (length > ZEROS.length || zeroing) throw new RangeError('one piece of zeros at a time');
      zeroing = true;
      const finish = (error: Error | null): void => {
        zeroing = false;
        done(error);
        closing?.();
      };
      write(zeroFd, ZEROS, 0, length, position, (error) => {
        if (error !== null) finish(error);
        else fdatasync(zeroFd, finish);
      });
    },
    close(done) {
      const end = (): void => {
        close(zeroFd, (error) => {
          if (error !== null && error !== undefined) done(error);
          else close(second, (e) => close(fd, (last) => done(e ?? last ?? null)));
        });
      };
      if (zeroing) closing = end;
      else end();
    },
  };
}

/** What is left of parts when so many bytes of them are written: a disk may take less than it is given. */
function withoutFirst(parts: readonly Buffer[], bytes: number): Buffer[] {
  const rest: Buffer[] = [];
  let skip = bytes;
  for (const part of parts) {
    if (skip < part.length) rest.push(skip === 0 ? part : part.subarray(skip));
    skip -= Math.min(skip, part.length);
  }
  return rest;
}
