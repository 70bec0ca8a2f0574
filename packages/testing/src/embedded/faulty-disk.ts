// A disk made slow or made to fail on demand, for one embedded server.

import type { Disk, LogFile, WritableFile } from '@nodekeeper/server';
import { clearTimeout, setImmediate, setTimeout } from './real-time.js';

type Done = (error: Error | null) => void;

/** What is wrong with a disk at the moment. */
export class DiskFaults {
  /** Milliseconds, of real time, by which every write of the log and every sync is later. */
  delay = 0;
  /** The code of the error (EIO, ENOSPC …) that every write and sync meets; undefined for none. */
  error: string | undefined;
  /** Its server was killed: nobody waits for it. */
  private hurried = false;
  private readonly late = new Map<() => void, ReturnType<typeof setTimeout>>();

  /** Does something as late as the disk is slow. */
  later(action: () => void): void {
    if (this.delay === 0 || this.hurried) {
      action();
      return;
    }
    const act = (): void => {
      this.late.delete(act);
      action();
    };
    this.late.set(act, setTimeout(act, this.delay));
  }

  /** Has what is late happen now, and what comes at once, until the server has ended. */
  async hurryUntil(ended: Promise<void>): Promise<void> {
    this.hurried = true;
    this.releaseLate();
    try {
      await ended;
    } finally {
      this.hurried = false;
    }
  }

  private releaseLate(): void {
    for (const [act, timer] of this.late) {
      clearTimeout(timer);
      act();
    }
  }

  heal(): void {
    this.delay = 0;
    this.error = undefined;
    this.releaseLate();
  }
}

/** A disk with faults: what is read is never wrong, what is written is late or refused as `faults` says at that moment. */
export function faultyDisk(real: Disk, faults: DiskFaults): Disk {
  const failure = (path: string): Error | undefined => {
    const code = faults.error;
    return code === undefined ? undefined : Object.assign(new Error(`${code}: ${path}`), { code, path });
  };
  const refuse = (path: string): void => {
    const error = failure(path);
    if (error !== undefined) throw error;
  };
  /** Calls back later than the disk does. */
  const late = (done: Done): Done => {
    return (error) => faults.later(() => done(error));
  };
  /** Has something written unless that is refused, which the caller learns later, as of a disk. */
  const unlessRefused = (path: string, done: Done, write: () => void): void => {
    const error = failure(path);
    if (error === undefined) write();
    else setImmediate(() => done(error));
  };
  const logFile = (path: string, file: LogFile): LogFile => ({
    ...file,
    write: (parts, position, done) => unlessRefused(path, done, () => file.write(parts, position, late(done))),
  });
  const writable = (path: string, file: WritableFile): WritableFile => ({
    async write(from) {
      refuse(path);
      await file.write(from);
    },
    async sync() {
      refuse(path);
      await file.sync();
      await new Promise<void>((resolve) => faults.later(resolve));
    },
    close: () => file.close(),
  });
  return {
    ...real,
    createLog(path, durable, done) {
      const open = (): void =>
        real.createLog(path, durable, (e, file) => done(e, file === null ? null : logFile(path, file)));
      unlessRefused(path, (error) => done(error, null), open);
    },
    async create(path) {
      refuse(path);
      return writable(path, await real.create(path));
    },
    truncate(path, size) {
      refuse(path);
      real.truncate(path, size);
    },
    rewrite(path, from, to) {
      refuse(path);
      real.rewrite(path, from, to);
    },
    syncDir(dir) {
      refuse(dir);
      real.syncDir(dir);
    },
    syncDirLater: (dir, done) => unlessRefused(dir, done, () => real.syncDirLater(dir, late(done))),
    replaceText(path, text) {
      refuse(path);
      real.replaceText(path, text);
    },
  };
}
