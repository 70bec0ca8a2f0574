// The real file system without waiting for the medium: a test's server is never there again after a power failure, and a process that
// is killed loses nothing that was written. Elections sync small files many times; without that they take a fraction of the time.

import { renameSync, writeFileSync } from 'node:fs';
import type { Disk, LogFile, WritableFile } from '@nodekeeper/server';
import { nodeDisk } from '@nodekeeper/server/storage';
import { setImmediate } from './real-time.js';

export const unsyncedDisk: Disk = {
  ...nodeDisk,

  createLog(path, _durable, done) {
    nodeDisk.createLog(path, false, (error, file) => done(error, file === null ? null : unsyncedLog(file)));
  },

  async create(path): Promise<WritableFile> {
    const file = await nodeDisk.create(path);
    return { ...file, sync: async () => {} };
  },

  syncDir() {},

  syncDirLater(_dir, done) {
    setImmediate(() => done(null));
  },

  replaceText(path, text) {
    const temporary = `${path}.tmp`;
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  },
};

function unsyncedLog(file: LogFile): LogFile {
  return {
    ...file,
    // What lies ahead in the file reads as zero anyway; written for the sake of the medium only.
    zero: (_position, _length, done) => setImmediate(() => done(null)),
  };
}
