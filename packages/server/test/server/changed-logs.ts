// The real disk, with something changed about the logs that it creates.

import type { Disk, LogFile } from '../../dist/storage/disk.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';

export function diskWithLogs(change: (file: LogFile) => void): Disk {
  return {
    ...nodeDisk,
    createLog: (path, durable, done) =>
      nodeDisk.createLog(path, durable, (error, file) => {
        if (file !== null) change(file);
        done(error, file);
      }),
  };
}
