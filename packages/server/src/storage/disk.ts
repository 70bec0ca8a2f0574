// What storage needs of a file system, and nothing more: the simulator implements it too.

/** A file that is read at any position. */
export interface ReadableFile {
  readonly size: number;
  /** Reads up to `length` bytes at `position`; returns how many there were. */
  read(into: Buffer, offset: number, length: number, position: number): number;
  close(): void;
}

/** A transaction log being written. */
export interface LogFile {
  /**
   * Writes parts one behind the other and makes them durable (unless the log was opened otherwise), then calls back. A second write
   * may begin before one has ended and repeat some of its bytes; which of them is done first is open.
   */
  write(parts: readonly Buffer[], position: number, done: (error: Error | null) => void): void;
  /** Gives the file a size; new bytes read as zero. */
  resize(size: number, done: (error: Error | null) => void): void;
  /** Writes zeros and has the disk allocate their blocks, beside the writes. The range must be written by nobody else meanwhile. */
  zero(position: number, length: number, done: (error: Error | null) => void): void;
  /** Waits for what is under way. */
  close(done: (error: Error | null) => void): void;
}

/** A file written from start to end. */
export interface WritableFile {
  write(from: Buffer): Promise<void>;
  /** Makes everything written durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** Names in a directory; empty if there is none. */
  list(dir: string): string[];
  /** Size in bytes, or undefined if the file is not there. */
  size(path: string): number | undefined;
  /** Makes what is missing of a path, durably. */
  makeDir(dir: string): void;
  open(path: string): ReadableFile;
  /** Creates a log, cutting one of the same name. With `durable` each write is on disk when it calls back. */
  createLog(path: string, durable: boolean, done: (error: Error | null, file: LogFile | null) => void): void;
  create(path: string): Promise<WritableFile>;
  rename(from: string, to: string): void;
  /** As {@link rename}, while other things go on: it may have to wait for what else the disk does. */
  renameLater(from: string, to: string, done: (error: Error | null) => void): void;
  /** Nothing if it is not there: old files may be purged at any time. */
  remove(path: string): void;
  /**
   * As {@link remove}, for a file that nobody reads. What it returns gives the space back, a little at a time: a file system that
   * frees much at once keeps other writes waiting. Under another name the file stays whole. Only the name's removal outlives a crash.
   */
  removeLarge(path: string): () => Promise<void>;
  /** Gives a file a size, at most what it has, and makes it durable with everything in it. */
  truncate(path: string, size: number): void;
  /**
   * Writes what a file holds in `[from, to)` to the same place once more, and makes it durable. Linux goes on showing what a write
   * brought that failed, and takes it for clean: no sync alone would bring it to the disk.
   */
  rewrite(path: string, from: number, to: number): void;
  /** Makes names that were created, renamed or removed in the directory durable. */
  syncDir(dir: string): void;
  /** As {@link syncDir} for the names of now, while other things go on. */
  syncDirLater(dir: string, done: (error: Error | null) => void): void;
  readText(path: string): string | undefined;
  /** Replaces a small file so that after a crash it holds the old text or the new one. */
  replaceText(path: string, text: string): void;
  /**
   * Writes a text over the beginning of a small file, made if it is missing, while other things go on, and leaves it to the system
   * when it becomes durable. Calls back when that is done or has failed.
   */
  note(path: string, text: string, done: () => void): void;
}
