// A simulated file system. What was not synced, names included, can be lost when the power fails; writes can be slow, torn, refused.
// Files outlive the processes that write them: `attach` gives a process its access, which ends with it.

import { dirname, normalize } from 'node:path';
import type { Disk, LogFile, ReadableFile, WritableFile } from '@nodekeeper/server';
import { SimFile, torn } from './file.js';
import type { Life } from './life.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';

type NameChange =
  | { readonly kind: 'put'; readonly name: string; readonly file: SimFile }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'move'; readonly from: string; readonly to: string };

type Names = Map<string, SimFile>;

interface Directory {
  readonly seen: Names;
  readonly medium: Names;
  changes: NameChange[];
}

export class DiskError extends Error {
  readonly code: string;

  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

/** Milliseconds that things typically take. */
const TIMES = { open: 0.2, write: 0.3, durableWrite: 1.5, sync: 2, resize: 0.1 };

/** Told of what is written to logs: where the checkers learn of transactions. */
export type LogObserver = (path: string, bytes: Buffer, position: number) => void;

export class SimDisk {
  readonly random: Random;
  private readonly scheduler: Scheduler;
  private readonly directories = new Map<string, Directory>();
  /** How many times slower than usual: always, and for a while. */
  usualSlowness = 1;
  slowness = 1;
  /** The error that the next write to a log or file meets. */
  nextWriteError: string | undefined;
  nextSyncError: string | undefined;
  /** Nothing can grow. */
  full = false;
  onLogWrite: LogObserver = () => {};

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
  }

  /** Files whose names and contents a test may look at or damage. */
  *files(): Generator<readonly [string, SimFile]> {
    for (const [dir, { seen }] of this.directories) for (const [name, file] of seen) yield [`${dir}/${name}`, file];
  }

  /** Puts a file there before anything runs. */
  preset(path: string, text: string): void {
    const { dir, name } = split(path);
    this.makeDirectory(dir);
    const file = new SimFile();
    file.write(0, Buffer.from(text));
    file.sync();
    this.directory(dir)?.seen.set(name, file);
    this.directory(dir)?.medium.set(name, file);
  }

  /** Removes everything from a directory and below, but for one file. */
  forget(dir: string, keep: string): void {
    for (const [path, { seen, medium }] of this.directories) {
      if (path !== dir && !path.startsWith(`${dir}/`)) continue;
      for (const names of [seen, medium])
        for (const name of [...names.keys()]) if (path !== dir || name !== keep) names.delete(name);
    }
  }

  /** Takes back the faults that were set. */
  heal(): void {
    this.usualSlowness = 1;
    this.slowness = 1;
    this.nextWriteError = undefined;
    this.nextSyncError = undefined;
    this.full = false;
  }

  losePower(): void {
    const { random } = this;
    for (const directory of this.directories.values()) {
      // A journal brings changes of names to the medium in their order.
      const kept = random.pick([0, directory.changes.length, random.int(directory.changes.length + 1)]);
      for (const change of directory.changes.slice(0, kept)) apply(directory.medium, change);
      directory.changes = [];
      directory.seen.clear();
      for (const [name, file] of directory.medium) directory.seen.set(name, file);
    }
    for (const file of new Set([...this.directories.values()].flatMap(({ seen }) => [...seen.values()])))
      file.losePower(random);
  }

  directory(dir: string): Directory | undefined {
    return this.directories.get(normalize(dir));
  }

  makeDirectory(dir: string): void {
    const path = normalize(dir);
    if (!this.directories.has(path)) this.directories.set(path, { seen: new Map(), medium: new Map(), changes: [] });
  }

  /** The access of a process. */
  attach(life: Life): Disk {
    return new Access(this, this.scheduler, life);
  }
}

function apply(names: Names, change: NameChange): void {
  if (change.kind === 'put') names.set(change.name, change.file);
  else if (change.kind === 'remove') names.delete(change.name);
  else {
    const file = names.get(change.from);
    if (file === undefined) return;
    names.delete(change.from);
    names.set(change.to, file);
  }
}

function split(path: string): { dir: string; name: string } {
  const dir = dirname(normalize(path));
  return { dir, name: normalize(path).slice(dir.length + 1) };
}

class Access implements Disk {
  private readonly disk: SimDisk;
  private readonly scheduler: Scheduler;
  private readonly life: Life;

  constructor(disk: SimDisk, scheduler: Scheduler, life: Life) {
    this.disk = disk;
    this.scheduler = scheduler;
    this.life = life;
  }

  private find(path: string): SimFile | undefined {
    const { dir, name } = split(path);
    return this.disk.directory(dir)?.seen.get(name);
  }

  private existing(path: string): SimFile {
    const file = this.find(path);
    if (file === undefined) throw new DiskError('ENOENT', path);
    return file;
  }

  private rename_(dir: string, change: NameChange): void {
    const directory = this.disk.directory(dir);
    if (directory === undefined) throw new DiskError('ENOENT', dir);
    this.life.effect();
    apply(directory.seen, change);
    directory.changes.push(change);
    this.life.effect();
  }

  /** A file of that name, empty. */
  private make(path: string): SimFile {
    const old = this.find(path);
    if (old !== undefined) {
      old.resize(0);
      return old;
    }
    const { dir, name } = split(path);
    const file = new SimFile();
    this.rename_(dir, { kind: 'put', name, file });
    return file;
  }

  private writeError(path: string): DiskError | undefined {
    const { disk } = this;
    const code = disk.full ? 'ENOSPC' : disk.nextWriteError;
    if (code === undefined) return undefined;
    disk.nextWriteError = undefined;
    return new DiskError(code, path);
  }

  private syncError(path: string): DiskError | undefined {
    const { disk } = this;
    const code = disk.nextSyncError;
    if (code === undefined) return undefined;
    disk.nextSyncError = undefined;
    return new DiskError(code, path);
  }

  /** Does something after a while, if the process still lives. */
  private later(typical: number, action: () => void): void {
    const { disk } = this;
    this.scheduler.after(disk.random.skewed(typical) * Math.max(disk.usualSlowness, disk.slowness), this.life, () => {
      this.life.effect();
      action();
    });
  }

  private promise<T>(typical: number, action: () => T): Promise<T> {
    this.life.effect();
    return new Promise((resolve, reject) => {
      this.later(typical, () => {
        try {
          resolve(action());
        } catch (e) {
          this.life.check();
          reject(e);
        }
      });
    });
  }

  // ---- Disk ----

  list(dir: string): string[] {
    this.life.check();
    return [...(this.disk.directory(dir)?.seen.keys() ?? [])].sort();
  }

  size(path: string): number | undefined {
    this.life.check();
    return this.disk.directory(path) === undefined ? this.find(path)?.size : 0;
  }

  makeDir(dir: string): void {
    this.life.check();
    this.disk.makeDirectory(dir);
  }

  open(path: string): ReadableFile {
    this.life.check();
    const file = this.existing(path);
    return {
      size: file.size,
      read: (into, offset, length, position) => {
        this.life.check();
        if (position >= file.size) return 0;
        return file.bytes().copy(into, offset, position, Math.min(file.size, position + length));
      },
      close: () => {},
    };
  }

  createLog(path: string, durable: boolean, done: (error: Error | null, file: LogFile | null) => void): void {
    this.life.effect();
    this.later(TIMES.open, () => {
      const file = this.make(path);
      done(null, this.logFile(path, file, durable));
    });
  }

  private logFile(path: string, file: SimFile, durable: boolean): LogFile {
    const { disk, life } = this;
    return {
      write: (parts, position, done) => {
        this.life.effect();
        const bytes = Buffer.concat(parts);
        disk.onLogWrite(path, bytes, position);
        // A process that ends in the midst of a write leaves some of it to the page cache.
        const leave = life.atEnd(() => file.write(position, torn(bytes, disk.random)));
        this.later(durable ? TIMES.durableWrite : TIMES.write, () => {
          leave();
          const error = this.writeError(path) ?? (durable ? this.syncError(path) : undefined);
          if (error !== undefined) {
            if (durable) file.show(position, torn(bytes, disk.random));
            else file.write(position, torn(bytes, disk.random));
            done(error);
            return;
          }
          if (!bytes.equals(Buffer.concat(parts))) throw new Error(`${path} was changed while it was written`);
          if (durable) file.writeDurably(position, bytes);
          else file.write(position, bytes);
          this.life.effect();
          done(null);
        });
      },
      resize: (size, done) => {
        this.life.effect();
        this.later(TIMES.resize, () => {
          const error = size > file.size ? this.writeError(path) : undefined;
          if (error === undefined) file.resize(size);
          done(error ?? null);
        });
      },
      zero: (position, length, done) => {
        this.life.effect();
        this.later(TIMES.sync, () => {
          const error = this.writeError(path) ?? this.syncError(path);
          if (error === undefined) {
            file.write(position, Buffer.alloc(length));
            file.sync();
          }
          done(error ?? null);
        });
      },
      close: (done) => {
        this.life.effect();
        this.later(TIMES.open, () => done(null));
      },
    };
  }

  async create(path: string): Promise<WritableFile> {
    const file = await this.promise(TIMES.open, () => this.make(path));
    let position = 0;
    return {
      write: (from) =>
        this.promise(TIMES.write, () => {
          const error = this.writeError(path);
          file.write(position, error === undefined ? from : torn(from, this.disk.random));
          if (error !== undefined) throw error;
          position += from.length;
        }),
      sync: () =>
        this.promise(TIMES.sync, () => {
          const error = this.syncError(path);
          if (error !== undefined) throw error;
          file.sync();
        }),
      close: () => this.promise(TIMES.open, () => {}),
    };
  }

  rename(from: string, to: string): void {
    this.existing(from);
    const source = split(from);
    const target = split(to);
    if (source.dir !== target.dir) throw new Error('files are moved within a directory only');
    this.rename_(source.dir, { kind: 'move', from: source.name, to: target.name });
  }

  renameLater(from: string, to: string, done: (error: Error | null) => void): void {
    this.life.effect();
    this.later(TIMES.open, () => {
      this.rename(from, to);
      done(null);
    });
  }

  remove(path: string): void {
    this.existing(path);
    const { dir, name } = split(path);
    this.rename_(dir, { kind: 'remove', name });
  }

  removeLarge(path: string): () => Promise<void> {
    this.remove(path);
    return async () => {};
  }

  truncate(path: string, size: number): void {
    const file = this.existing(path);
    this.life.effect();
    file.resize(size);
    this.life.effect();
    file.sync();
    this.life.effect();
  }

  rewrite(path: string, from: number, to: number): void {
    const file = this.existing(path);
    this.life.effect();
    file.write(from, Buffer.from(file.bytes().subarray(from, to)));
    this.life.effect();
    file.sync();
    this.life.effect();
  }

  syncDir(dir: string): void {
    const directory = this.disk.directory(dir);
    if (directory === undefined) throw new DiskError('ENOENT', dir);
    this.life.effect();
    const error = this.syncError(dir);
    if (error !== undefined) throw error;
    for (const change of directory.changes) apply(directory.medium, change);
    directory.changes = [];
    this.life.effect();
  }

  syncDirLater(dir: string, done: (error: Error | null) => void): void {
    const directory = this.disk.directory(dir);
    if (directory === undefined) throw new DiskError('ENOENT', dir);
    this.life.effect();
    const changes = [...directory.changes];
    this.later(TIMES.sync, () => {
      const error = this.syncError(dir);
      if (error === undefined) {
        for (const change of changes) if (directory.changes.includes(change)) apply(directory.medium, change);
        directory.changes = directory.changes.filter((change) => !changes.includes(change));
        this.life.effect();
      }
      done(error ?? null);
    });
  }

  readText(path: string): string | undefined {
    this.life.check();
    return this.find(path)?.bytes().toString('utf8');
  }

  replaceText(path: string, text: string): void {
    const temporary = `${path}.tmp`;
    const file = this.make(temporary);
    this.life.effect();
    const bytes = Buffer.from(text);
    const error = this.writeError(path) ?? this.syncError(path);
    file.write(0, error === undefined ? bytes : torn(bytes, this.disk.random));
    if (error !== undefined) throw error;
    this.life.effect();
    file.sync();
    this.rename(temporary, path);
    this.syncDir(dirname(path));
  }

  note(path: string, text: string, done: () => void): void {
    this.life.effect();
    this.later(TIMES.write, () => {
      if (!this.disk.full) (this.find(path) ?? this.make(path)).write(0, Buffer.from(text));
      done();
    });
  }
}
