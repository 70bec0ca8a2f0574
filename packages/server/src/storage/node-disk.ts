// The real file system.

import {
  close,
  closeSync,
  constants,
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
  renameSync,
  statSync,
  unlinkSync,
  write,
  writeFileSync,
  writev,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Disk, LogFile, ReadableFile, WritableFile } from './disk.js';
import { systemCode } from './system-error.js';

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
      if (systemCode(e) === 'ENOENT') return undefined;
      throw e;
    }
  },

  makeDir(dir) {
    mkdirSync(dir, { recursive: true });
  },

  open(path): ReadableFile {
    const fd = openSync(path, 'r');
    return {
      size: fstatSync(fd).size,
      read: (into, offset, length, position) => readSync(fd, into, offset, length, position),
      close: () => closeSync(fd),
    };
  },

  createLog(path, durable, done) {
    // O_DSYNC: one system call writes and syncs the data, which is a trip to the thread pool less for each batch.
    open(path, durable ? LOG_FLAGS | constants.O_DSYNC : LOG_FLAGS, 0o644, (error, fd) => {
      if (error !== null) {
        done(error, null);
        return;
      }
      // Zeros go through a descriptor that does not sync each write.
      open(path, constants.O_WRONLY, (zeroError, zeroFd) => {
        if (zeroError !== null) done(zeroError, null);
        else done(null, logFile(fd, zeroFd));
      });
    });
  },

  async create(path): Promise<WritableFile> {
    const file = await promises.open(path, 'w');
    return {
      async write(from) {
        for (let at = 0; at < from.length; ) at += (await file.write(from, at, from.length - at)).bytesWritten;
      },
      sync: () => file.datasync(),
      close: () => file.close(),
    };
  },

  rename: renameSync,
  remove(path) {
    try {
      unlinkSync(path);
    } catch (e) {
      if (systemCode(e) !== 'ENOENT') throw e;
    }
  },

  truncate(path, size) {
    const fd = openSync(path, 'r+');
    try {
      ftruncateSync(fd, size);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },

  syncDir(dir) {
    const fd = openSync(dir, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },

  syncDirLater(dir, done) {
    open(dir, 'r', (openError, fd) => {
      if (openError !== null) {
        done(openError);
        return;
      }
      fsync(fd, (error) => close(fd, (closeError) => done(error ?? closeError ?? null)));
    });
  },

  readText(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch (e) {
      if (systemCode(e) === 'ENOENT') return undefined;
      throw e;
    }
  },

  replaceText(path, text) {
    const temporary = `${path}.tmp`;
    const fd = openSync(temporary, 'w');
    try {
      writeFileSync(fd, text); // all of it: a disk that is nearly full takes a part without an error
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    this.syncDir(dirname(path));
  },
};

const ZEROS = Buffer.alloc(1024 * 1024);

function logFile(fd: number, zeroFd: number): LogFile {
  let zeroing = false;
  let closing: (() => void) | undefined;
  const writeAll = (parts: readonly Buffer[], position: number, done: (error: Error | null) => void): void => {
    writev(fd, parts, position, (error, written) => {
      if (error !== null) {
        done(error);
        return;
      }
      const rest = withoutFirst(parts, written);
      if (rest.length > 0) writeAll(rest, position + written, done);
      else done(null);
    });
  };
  return {
    write: writeAll,
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
          else close(fd, (e) => done(e ?? null));
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
