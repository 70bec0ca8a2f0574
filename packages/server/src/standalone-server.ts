// A server on its own: what its log reports as durable is committed.

import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ServerConfig } from './config/index.js';
import type { Database } from './database.js';
import { Origin } from './origin.js';
import type { Proposals } from './request/originating.js';
import type { Timer } from './runtime.js';
import { newDatabase, type Opened, openData, Server, type ServerOptions, serverOf } from './server.js';
import { StorageError } from './storage/errors.js';
import { snapshotName } from './storage/file-names.js';
import { nodeDisk } from './storage/node-disk.js';
import { mustRejoin, rejoinMarker } from './storage/set-aside.js';
import { loadSnapshotStream } from './storage/snapshot-reader.js';
import type { LogBatch } from './storage/txn-log.js';

/** Bytes of requests in work: enough to keep a disk and the processor busy at the same time, as there is no network to wait for. */
const BYTES_IN_WORK = 128 * 1024;

/** A server with its data recovered. `listen` opens it to clients. */
export class StandaloneServer extends Server {
  readonly mode = 'standalone';
  private origin: Origin;
  private readonly originTimers: Timer[] = [];
  private restoring = false;
  private replacing: Promise<number> | null = null;

  private constructor(config: ServerConfig, opened: Opened, options: ServerOptions) {
    super(config, opened, options, 1);
    this.port.bytesInWork = BYTES_IN_WORK;
    this.origin = this.newOrigin();
  }

  /** Begins to serve the database as it is. */
  private newOrigin(): Origin {
    const proposals: Proposals = {
      tellsOfMoves: false,
      propose: (write, buf, length) => {
        write.start = this.log.append(buf.subarray(0, length), write.zxid);
        write.end = write.start + length;
      },
    };
    const origin = new Origin(this, proposals, this.newPreparer());
    this.port.serve({ tree: this.database.tree, sessions: origin.sessions, processor: origin.processor });
    origin.takeOverSessions();
    this.log.flush();
    return origin;
  }

  /**
   * Recovers the data and prepares a server.
   * @throws StorageError if the data cannot be used
   */
  static async open(config: ServerConfig, options: ServerOptions = {}): Promise<StandaloneServer> {
    const opened = await openData(config, options);
    return serverOf(opened, async () => {
      const { fresh, replayed } = opened.recovered;
      if (mustRejoin(options.disk ?? nodeDisk, opened.dirs)) {
        throw new StorageError(
          rejoinMarker(opened.dirs),
          undefined,
          'as a member of an ensemble this server has set damaged files aside, and may have forgotten transactions',
          'Start it as a member, so that it takes them from the others; or restore the files, whose names begin with damaged, and remove this one; removed by itself, the server takes what there is',
        );
      }
      if (fresh && !opened.trusted) {
        throw new StorageError(
          opened.dirs.snapshots,
          undefined,
          'there is no database, and none may be made',
          "Create a file 'initialize' in the data directory if this is a new server, or set db.autocreate=true",
        );
      }
      const server = new StandaloneServer(config, opened, options);
      if (fresh) await server.writeSnapshot();
      if (replayed > 0) server.startSnapshot();
      return server;
    });
  }

  override async listen(): Promise<number> {
    const port = await super.listen();
    this.startOrigin();
    return port;
  }

  private startOrigin(): void {
    this.origin.start((ms, action) => this.originTimers.push(this.runtime.every(ms, () => this.guard(action))));
  }

  private stopOrigin(): void {
    for (const timer of this.originTimers.splice(0)) timer.cancel();
    this.port.serve(null);
  }

  override get notReady(): string | undefined {
    return this.replacing === null ? super.notReady : 'a snapshot is being restored';
  }

  override async close(): Promise<void> {
    for (const timer of this.originTimers.splice(0)) timer.cancel();
    await this.replacing?.catch(() => {}); // whoever asked is told
    await super.close();
  }

  expireSession(id: bigint): boolean {
    if (this.replacing !== null) return false;
    let known = false;
    this.guard(() => {
      known = this.origin.expire(id);
    });
    return known;
  }

  protected onDurable(batch: LogBatch): void {
    this.origin.processor.commit(batch.buf, batch.lastZxid);
    this.countApplied(batch.count, batch.used);
  }

  /**
   * Replaces the data by those of a snapshot, on disk too; once the snapshot is read, clients lose their connections for as long as
   * writing it takes. Zxids go on from the snapshot's or from those given out here, whichever are higher, so that no client has
   * seen a later one. Sessions that the snapshot knows live on.
   * @throws StorageError if the snapshot is not whole; nothing has changed then
   */
  override async restore(snapshot: Readable): Promise<number> {
    if (this.restoring) throw new Error('a snapshot is being restored already');
    this.restoring = true;
    const began = this.runtime.now();
    try {
      const restored = newDatabase(this.config, this.runtime);
      const zxid = await loadSnapshotStream(snapshot, restored);
      if (this.stopping) throw new Error('the server is stopping');
      restored.tree.finishLoading();
      this.replacing = this.replaceBy(restored, zxid);
      const last = await this.replacing;
      const ms = this.runtime.now() - began;
      this.stats.restoreTime.add(ms);
      this.logger.warn(
        { zxid: `0x${zxid.toString(16)}`, goesOnFrom: `0x${last.toString(16)}`, nodes: restored.tree.store.count },
        `the data were replaced by a snapshot in ${Math.round(ms)} ms`,
      );
      return last;
    } finally {
      this.restoring = false;
      this.replacing = null;
    }
  }

  /** What is restored is written as a snapshot, into the same temporary file: an operator's comes after that. */
  override async takeSnapshot(): Promise<string> {
    while (this.snapshotting !== null || this.replacing !== null) {
      await this.snapshotting;
      await this.replacing?.catch(() => {}); // whoever asked is told
    }
    if (this.stopping) throw new Error('the server is stopping');
    return super.takeSnapshot();
  }

  private async replaceBy(restored: Database, zxid: number): Promise<number> {
    const { database } = this;
    this.stopOrigin();
    try {
      await this.log.close();
    } catch (e) {
      this.fail(e as Error); // it would go on without serving anybody
      throw e;
    }
    await this.giveUpSnapshot();
    const last = Math.max(zxid, this.lastZxid + 1);
    restored.snapshotLoaded(last);
    database.listener = undefined;
    this.database = restored;
    this.followDatabase();
    try {
      // From here on it is what a restart finds: with a zxid between it and the log, no older snapshot can be taken in its place.
      await this.writeSnapshot();
    } catch (e) {
      this.database = database;
      const file = join(this.dirs.snapshots, snapshotName(last, this.config.snapshotCompression));
      if (this.disk.size(file) !== undefined) this.fail(e as Error); // the disk has it, the server not
      throw e;
    } finally {
      this.log = this.openLog(this.lastZxid);
      if (!this.stopping) {
        this.guard(() => {
          this.origin = this.newOrigin();
        });
        this.startOrigin();
      }
    }
    return last;
  }
}
