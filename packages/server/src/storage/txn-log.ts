// The transaction log: gathers entries while batches are on their way to the disk, writes each batch at once, and reports it when
// it is durable. The format is Apache's; record layout:
//   long Adler-32 of the entry, int length, entry (TxnHeader, transaction, TxnDigest), byte 0x42
// Zeros follow the last record up to the preallocated size.

import { join } from 'node:path';
import type { Runtime, Timer } from '../runtime.js';
import { ADLER_START, adler32 } from './adler32.js';
import type { Disk, LogFile } from './disk.js';
import { logName, TEMPORARY } from './file-names.js';
import { readMarks, type SyncedMark, writeMarks } from './synced-marks.js';
import { named } from './system-error.js';

export const LOG_MAGIC = 0x5a4b4c47; // ZKLG
export const LOG_VERSION = 2;
export const LOG_HEADER_SIZE = 16;
export const RECORD_HEAD = 12;
export const RECORD_END = 0x42;
/** So many bytes may be missing, or in part there, after a power failure; larger are single entries only. */
export const LARGEST_UNDER_WAY = 1024 * 1024;
const FIRST_CAPACITY = 64 * 1024;
/** Zeros are written this far ahead: a sync that finds its blocks allocated costs half as much (docs/decisions/0005). */
const ZERO_LEAD = 4 * 1024 * 1024;
const ZERO_MARGIN = 1024 * 1024;
const ZERO_PIECE = 512 * 1024;
const LARGEST_KEPT = 4 * 1024 * 1024;
/** Writes under way at once: while one waits for the disk, another sets out. */
const MAX_WRITES = 2;
/** With more bytes on their way than this, which it would have to write once more, a batch waits. */
const LARGEST_REPEATED = 64 * 1024;
/** Up to so many entries cost less in one write than it gains to write some while others are worked on. */
const WRITTEN_TOGETHER = 32;
/** So many are worth a write whatever was under way before: of them each costs next to nothing. */
const ENOUGH = 256;
/** A batch that is not worth a write yet sets out when the event loop has found nothing new so often. */
const IDLE_LOOKS = 3;
/** And when it has looked for so long, in milliseconds: where reads keep the event loop busy, each look takes its time. */
const LOOKING_MS = 0.3;
/** What is left, at each write, of the most entries that were under way at once. */
const FORGETTING = 0.98;
/** How long it takes at most, in milliseconds, until it is noted that something is durable. */
const NOTE_MS = 100;
/** A batch takes no further entry beyond this, so that what is under way at a power failure is what readers take for that. */
const LARGEST_BATCH = LARGEST_UNDER_WAY - LARGEST_REPEATED;

export interface TxnLogOptions {
  /** Bytes by which the file grows ahead of need; 0 for no preallocation. */
  readonly preAllocBytes: number;
  /** false leaves durability to the operating system (forceSync=no). */
  readonly forceSync: boolean;
  /** Begin a new file above this size; 0 or less for no limit. */
  readonly sizeLimitBytes: number;
  /** Milliseconds to gather entries for before a batch is written; 0 writes as soon as the disk is free. */
  readonly flushDelayMs: number;
  /** Without a further entry for so many milliseconds such a wait ends, too. */
  readonly idleFlushMs: number;
  /** Entries that end such a wait early. */
  readonly maxBatchSize: number;
  /** Where so many are under way at once, or fewer, all are one write; of more, half are. {@link WRITTEN_TOGETHER} if not given. */
  readonly writtenTogether?: number | undefined;
}

export interface TxnLogHooks {
  /** Everything in the batch is durable. Its bytes stay as they are until this returns. */
  onDurable(batch: LogBatch): void;
  /** A write or sync failed. Nothing that was not reported durable may be acknowledged; the process has to end. */
  onFatal(error: Error): void;
  /** A batch took `ms` milliseconds to become durable. */
  onSync(ms: number, entries: number): void;
}

/** Entries that become durable together. */
export class LogBatch {
  buf = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  used = 0;
  count = 0;
  firstZxid = 0;
  lastZxid = 0;
  startedAt = 0;
  /** Where the last record begins in {@link buf}. */
  lastAt = 0;
  /** Writes under way that read from {@link buf}. */
  writes = 0;

  /** What was appended, as a view. */
  bytes(): Buffer {
    return this.buf.subarray(0, this.used);
  }

  clear(): void {
    if (this.buf.length > LARGEST_KEPT) this.buf = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
    this.used = 0;
    this.count = 0;
  }

  /** Appends an entry; returns where it begins in {@link buf}. */
  append(entry: Buffer, zxid: number): number {
    const need = this.used + RECORD_HEAD + entry.length + 1;
    if (need > this.buf.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(need, this.buf.length * 2));
      this.buf.copy(grown, 0, 0, this.used);
      this.buf = grown;
    }
    const { buf } = this;
    this.lastAt = this.used;
    const start = this.used + RECORD_HEAD;
    const end = start + entry.length;
    buf.set(entry, start);
    buf.writeInt32BE(0, this.used);
    buf.writeUInt32BE(adler32(ADLER_START, buf, start, end), this.used + 4);
    buf.writeInt32BE(entry.length, this.used + 8);
    buf[end] = RECORD_END;
    this.used = end + 1;
    if (this.count === 0) this.firstZxid = zxid;
    this.lastZxid = zxid;
    this.count++;
    return start;
  }
}

export class TxnLog {
  private readonly disk: Disk;
  private readonly dir: string;
  private readonly options: TxnLogOptions;
  private readonly hooks: TxnLogHooks;
  private readonly runtime: Runtime;
  /** The batch that gathers. */
  batch = new LogBatch();
  /** Batches that nothing fits into any more, and that wait to be written before it. */
  private readonly full: LogBatch[] = [];
  private readonly spare: LogBatch[] = [];
  /** Batches that were handed to the disk and are not durable, oldest first. */
  private readonly unsynced: LogBatch[] = [];
  private writes = 0;
  /** The file is made ready for the last of {@link unsynced}; no other write may begin or be under way. */
  private preparing = false;
  private file: LogFile | null = null;
  private fileName = '';
  /** How far each log is durable, as it will be noted. */
  private readonly marks: Map<string, SyncedMark>;
  private noting: Timer | undefined;
  /** Until they are written: an older note must not come behind a newer one, nor behind what is noted once the log is closed. */
  private noted: Promise<void> = Promise.resolve();
  /** One waits for the one before it, and will tell all that is known by then. */
  private noteWaits = false;
  /** How many entries were under way at once of late, those that gather included. */
  private atOnce = 0;
  private isLooking = false;
  /** How often nothing more had come, and how many entries there were then. */
  private looks = 0;
  private lookingSince = 0;
  private lookedAt = 0;
  /** Where the next batch goes. */
  private position = 0;
  private allocated = 0;
  private zeroedTo = 0;
  /** Where zeros are being written; nothing may be logged from there on until they are. */
  private zeroingFrom = Number.POSITIVE_INFINITY;
  private afterZeroing: (() => void) | null = null;
  /** The zxid of the last entry that was appended, or is on disk. */
  lastZxid: number;
  private rollWanted = false;
  private failed = false;
  private delay: Timer | undefined;
  /** When the batch that waits is written at the latest. */
  private flushAt = 0;
  private idle: (() => void) | null = null;
  private readonly waiting: (() => void)[] = [];
  private closing: Promise<void> | null = null;
  private failure: Error | null = null;

  /**
   * @param lastZxid the zxid of the last record that is on disk
   */
  constructor(disk: Disk, dir: string, lastZxid: number, options: TxnLogOptions, hooks: TxnLogHooks, runtime: Runtime) {
    this.disk = disk;
    this.dir = dir;
    this.lastZxid = lastZxid;
    this.options = options;
    this.hooks = hooks;
    this.runtime = runtime;
    this.marks = readMarks(disk, dir);
  }

  /** Adds an entry to the gathering batch; returns where it stands there. {@link flush} sends it on its way. */
  append(entry: Buffer, zxid: number): number {
    if (this.closing !== null) throw new Error('the log is closed');
    if (zxid <= this.lastZxid)
      throw new Error(`zxid 0x${zxid.toString(16)} is logged after 0x${this.lastZxid.toString(16)}`);
    if (zxid > Number.MAX_SAFE_INTEGER)
      throw new Error(`zxid 0x${zxid.toString(16)} cannot be logged: epochs from 2097152 on are not supported`);
    this.lastZxid = zxid;
    if (this.batch.count > 0 && this.batch.used + RECORD_HEAD + entry.length + 1 > LARGEST_BATCH) {
      this.full.push(this.takeBatch());
    }
    return this.batch.append(entry, zxid);
  }

  /**
   * Everything that a connection had to say is appended. What is worth a write begins it; less waits until no connection has anything
   * to say: of requests that come one by one, each alone would cost as much as all of them together.
   */
  endTurn(): void {
    if (this.batch.count === 0) return;
    if (this.writes === 0 && this.isWorthwhile) this.flush();
    else this.lookLater();
  }

  private lookLater(): void {
    if (this.isLooking) return;
    this.isLooking = true;
    this.looks = 0;
    this.lookingSince = this.runtime.now();
    this.runtime.soon(this.look);
  }

  private readonly look = (): void => {
    const { count } = this.batch;
    if (this.writes === 0 && !this.isWorthwhile) {
      this.looks = count > this.lookedAt ? 1 : this.looks + 1;
      this.lookedAt = count;
      if (this.looks <= IDLE_LOOKS && this.runtime.now() - this.lookingSince < LOOKING_MS) {
        this.runtime.soon(this.look);
        return;
      }
    }
    this.isLooking = false;
    this.flush();
  };

  /** Whether as many entries have gathered as can be expected, of many half: the other half is worked on while they are written. */
  private get isWorthwhile(): boolean {
    const { atOnce, batch } = this;
    const { writtenTogether = WRITTEN_TOGETHER } = this.options;
    return this.full.length > 0 || batch.count >= Math.min(atOnce, Math.max(atOnce / 2, writtenTogether), ENOUGH);
  }

  /** Begins to write what has gathered, or lets it follow by itself what is on its way. */
  flush(): void {
    if (!this.mayWrite()) return;
    const { flushDelayMs, idleFlushMs, maxBatchSize } = this.options;
    const now = this.runtime.now();
    if (this.delay === undefined) this.flushAt = now + flushDelayMs;
    const wait = Math.min(idleFlushMs, this.flushAt - now);
    if (wait > 0 && this.batch.count < maxBatchSize) {
      this.delay?.cancel();
      this.delay = this.runtime.after(wait, () => this.write());
      return;
    }
    this.begin();
  }

  /** Writes out what has gathered and calls back once everything appended is durable. */
  whenDurable(action: () => void): void {
    this.waiting.push(action);
    this.write();
    if (this.durable) this.runtime.soon(() => this.tellWaiting());
  }

  private tellWaiting(): void {
    if (this.failed || !this.durable) return;
    for (const action of this.waiting.splice(0)) action();
  }

  /** Bytes that were appended and are not durable. */
  get unwritten(): number {
    return this.full.reduce((sum, { used }) => sum + used, this.onTheirWay().bytes + this.batch.used);
  }

  private get path(): string {
    return join(this.dir, this.fileName);
  }

  /** Everything that was appended is durable. */
  private get durable(): boolean {
    return this.unsynced.length === 0 && this.full.length === 0 && this.batch.count === 0;
  }

  /** The next batch that is written begins a new file. */
  roll(): void {
    this.rollWanted = true;
  }

  /**
   * Writes out what is left and closes the file.
   * @throws the error of a write or sync, also one that {@link TxnLogHooks.onFatal} was told before
   */
  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.idle = () => (this.failure === null ? resolve() : reject(this.failure));
      if (this.failed || this.durable) this.tellIdle();
      else this.write();
    });
    this.note();
    await this.noted;
    const { file } = this;
    this.file = null;
    if (file === null) return;
    await new Promise<void>((resolve, reject) => {
      this.retire(file, (e) => (e === null ? resolve() : reject(named(this.path, e))));
    });
  }

  /** Gives back what was preallocated and not used, and closes the file. */
  private retire(file: LogFile, done: (error: Error | null) => void): void {
    file.resize(this.position, (error) => {
      if (error !== null) done(error);
      else file.close(done);
    });
  }

  /**
   * Whether what has gathered can set out now. Beside another write it waits until it is as much as is on its way: of many small
   * writes each would cost what one large one does.
   */
  private mayWrite(): boolean {
    const next = this.full[0] ?? this.batch;
    if (next.count === 0 || this.preparing || this.failed) return false;
    if (this.writes === 0) return true;
    if (this.writes === MAX_WRITES || this.file === null || this.needsNewFile) return false;
    const { entries, bytes } = this.onTheirWay();
    if (next.count < entries || !this.isWorthwhile || bytes > LARGEST_REPEATED) return false;
    const end = this.position + next.used;
    return !this.needsRoom(end) && end <= this.zeroingFrom;
  }

  private onTheirWay(): { entries: number; bytes: number } {
    let entries = 0;
    let bytes = 0;
    for (const batch of this.unsynced) {
      entries += batch.count;
      bytes += batch.used;
    }
    return { entries, bytes };
  }

  private get needsNewFile(): boolean {
    const { sizeLimitBytes } = this.options;
    return this.rollWanted || (sizeLimitBytes > 0 && this.position > sizeLimitBytes);
  }

  private needsRoom(end: number): boolean {
    return this.options.preAllocBytes > 0 && end + 4096 >= this.allocated;
  }

  /** What has gathered; the next entries gather in another batch. */
  private takeBatch(): LogBatch {
    const { batch } = this;
    this.batch = this.spare.pop() ?? new LogBatch();
    return batch;
  }

  private write(): void {
    if (this.mayWrite()) this.begin();
    else this.endDelay();
  }

  private endDelay(): void {
    this.delay?.cancel();
    this.delay = undefined;
  }

  /** Sends the next batch on its way, which {@link mayWrite} has allowed. */
  private begin(): void {
    this.endDelay();
    const { file } = this;
    const batch = this.full.shift() ?? this.takeBatch();
    batch.startedAt = this.runtime.now();
    this.unsynced.push(batch);
    if (file === null || this.needsNewFile) this.openFor(batch);
    else this.writeTo(file, batch);
  }

  private openFor(batch: LogBatch): void {
    this.preparing = true;
    this.rollWanted = false;
    const old = this.file;
    const { path } = this;
    this.file = null;
    if (old !== null) {
      this.retire(old, (error) => {
        if (error !== null) this.fail(named(path, error));
      });
    }
    // Under its name there is never a file without a header, which Apache's servers do not start on.
    const name = logName(batch.firstZxid);
    const temporary = join(this.dir, TEMPORARY + name);
    this.disk.createLog(temporary, this.options.forceSync, (error, file) => {
      if (error !== null || file === null) {
        this.fail(error ?? new Error('no log file'));
        return;
      }
      const header = Buffer.alloc(LOG_HEADER_SIZE);
      header.writeInt32BE(LOG_MAGIC, 0);
      header.writeInt32BE(LOG_VERSION, 4);
      file.write([header], 0, (headerError) => {
        if (headerError !== null) {
          this.fail(named(temporary, headerError));
          return;
        }
        this.disk.renameLater(temporary, join(this.dir, name), (renameError) => {
          if (renameError === null) this.begun(file, name, batch);
          else this.fail(renameError);
        });
      });
    });
  }

  /** A new file has its name. */
  private begun(file: LogFile, name: string, batch: LogBatch): void {
    this.file = file;
    this.fileName = name;
    this.forgetPurged();
    this.position = LOG_HEADER_SIZE;
    this.allocated = LOG_HEADER_SIZE;
    this.zeroedTo = 0;
    this.zeroingFrom = Number.POSITIVE_INFINITY;
    if (!this.options.forceSync) {
      this.writeTo(file, batch);
      return;
    }
    // The name has to be durable before anything in the file counts.
    this.disk.syncDirLater(this.dir, (syncError) => {
      if (syncError === null) this.writeTo(file, batch);
      else this.fail(syncError);
    });
  }

  private writeTo(file: LogFile, batch: LogBatch): void {
    const end = this.position + batch.used;
    if (this.needsRoom(end)) {
      const { preAllocBytes } = this.options;
      this.preparing = true;
      this.allocated = (Math.floor((end + 4096) / preAllocBytes) + 1) * preAllocBytes;
      file.resize(this.allocated, (error) => {
        if (error !== null) this.fail(error);
        else this.writeTo(file, batch);
      });
      return;
    }
    if (end > this.zeroingFrom) {
      this.preparing = true;
      this.afterZeroing = () => this.writeTo(file, batch);
      return;
    }
    this.preparing = false;
    this.send(file, end);
  }

  /**
   * Writes everything that is not durable, what is on its way with another write included: whichever of the two the system takes
   * up first, there is never a gap in the file, not even if the process ends between them (docs/decisions/0005).
   */
  private send(file: LogFile, end: number): void {
    const batches = [...this.unsynced];
    let start = end;
    for (const batch of batches) {
      batch.writes++;
      start -= batch.used;
    }
    this.writes++;
    this.position = end;
    const parts = batches.map((batch) => batch.bytes());
    file.write(parts, start, (error) => {
      this.writes--;
      if (error !== null) this.fail(error);
      if (this.failed) {
        this.tellIdle();
        return;
      }
      this.written(batches);
      this.zeroAhead(file);
    });
  }

  /** Has the next blocks allocated while nobody waits for it. */
  private zeroAhead(file: LogFile): void {
    if (this.file !== file || this.zeroingFrom !== Number.POSITIVE_INFINITY || this.failed) return;
    if (this.zeroedTo - this.position > ZERO_LEAD) return;
    const from = Math.max(this.zeroedTo, this.position + ZERO_MARGIN);
    const to = Math.min(from + ZERO_PIECE, this.allocated);
    if (to <= from) return;
    this.zeroingFrom = from;
    file.zero(from, to - from, (error) => {
      if (this.file !== file) return; // rolled meanwhile
      this.zeroingFrom = Number.POSITIVE_INFINITY;
      this.zeroedTo = to;
      if (error !== null) {
        this.fail(error);
        return;
      }
      const waiting = this.afterZeroing;
      this.afterZeroing = null;
      waiting?.();
      this.zeroAhead(file);
    });
  }

  /** A write of these batches has ended: they are durable, unless another write told so before. */
  private written(batches: readonly LogBatch[]): void {
    const last = this.unsynced.indexOf(batches[batches.length - 1] as LogBatch);
    const durable = this.unsynced.splice(0, last + 1);
    this.mark(durable.at(-1));
    this.measure(durable);
    // The next batch goes to the disk while these are applied and answered.
    if (this.idle !== null || this.waiting.length > 0) this.write();
    else if (this.writes > 0 || this.isWorthwhile) this.flush();
    else this.endTurn();
    const now = this.runtime.now();
    for (const batch of durable) {
      this.hooks.onSync(now - batch.startedAt, batch.count);
      this.hooks.onDurable(batch);
    }
    for (const batch of batches) {
      if (--batch.writes > 0) continue;
      batch.clear();
      if (this.spare.length < MAX_WRITES) this.spare.push(batch);
    }
    if (!this.durable) return;
    if (this.waiting.length > 0) this.tellWaiting();
    this.tellIdle();
  }

  private measure(durable: readonly LogBatch[]): void {
    let entries = this.batch.count + this.onTheirWay().entries;
    for (const { count } of durable) entries += count;
    this.atOnce = Math.max(entries, this.atOnce * FORGETTING);
  }

  /** Everything up to the end of the batch is durable. */
  private mark(batch: LogBatch | undefined): void {
    if (batch === undefined || !this.options.forceSync) return;
    const end = this.position - this.onTheirWay().bytes;
    const start = end - batch.used + batch.lastAt;
    this.marks.set(this.fileName, { start, end, sum: batch.buf.readUInt32BE(batch.lastAt + 4) });
    this.noting ??= this.runtime.after(NOTE_MS, () => this.note());
  }

  private note(): void {
    if (this.noting === undefined) return;
    this.noting.cancel();
    this.noting = undefined;
    if (this.noteWaits) return;
    this.noteWaits = true;
    const write = (resolve: () => void): void => {
      this.noteWaits = false;
      writeMarks(this.disk, this.dir, this.marks, resolve);
    };
    this.noted = this.noted.then(() => new Promise(write));
  }

  private forgetPurged(): void {
    const there = new Set(this.disk.list(this.dir));
    for (const log of this.marks.keys()) if (!there.has(log)) this.marks.delete(log);
  }

  /** Whoever closes the log may go on once nothing reads its buffers or writes into the file any more. */
  private tellIdle(): void {
    if (this.writes === 0) this.idle?.();
  }

  private fail(error: Error): void {
    if (this.failed) return;
    this.failed = true;
    this.failure = named(this.path, error);
    this.delay?.cancel();
    this.hooks.onFatal(this.failure);
    this.tellIdle();
  }
}
