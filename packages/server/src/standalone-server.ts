// A server on its own: what its log reports as durable is committed.

import type { ServerConfig } from './config/index.js';
import { Origin } from './origin.js';
import type { Proposals } from './request/originating.js';
import { type Opened, openData, Server, type ServerOptions } from './server.js';
import { StorageError } from './storage/errors.js';
import type { LogBatch } from './storage/txn-log.js';

/** A server with its data recovered. `listen` opens it to clients. */
export class StandaloneServer extends Server {
  readonly mode = 'standalone';
  private readonly origin: Origin;

  private constructor(config: ServerConfig, opened: Opened, options: ServerOptions) {
    super(config, opened, options, 1);
    const proposals: Proposals = {
      propose: (write, buf, length) => {
        write.start = this.log.append(buf.subarray(0, length), write.zxid);
        write.end = write.start + length;
      },
    };
    const origin = new Origin(this, proposals, this.newPreparer());
    this.origin = origin;
    this.port.serve({ tree: this.database.tree, sessions: origin.sessions, processor: origin.processor });
    origin.takeOverSessions();
    this.log.flush();
  }

  /**
   * Recovers the data and prepares a server.
   * @throws StorageError if the data cannot be used
   */
  static async open(config: ServerConfig, options: ServerOptions = {}): Promise<StandaloneServer> {
    const opened = await openData(config, options);
    const { fresh, replayed, snapshotZxid } = opened.recovered;
    if (fresh && !opened.trusted) {
      await opened.lock?.release();
      throw new StorageError(
        opened.dirs.snapshots,
        undefined,
        'there is no database, and none may be made',
        "Create a file 'initialize' in the data directory if this is a new server, or set db.autocreate=true",
      );
    }
    const server = new StandaloneServer(config, opened, options);
    if (fresh) await server.writeSnapshot();
    else server.stats.lastSnapshot = { zxid: snapshotZxid, at: server.runtime.wallTime() };
    if (replayed > 0) server.startSnapshot();
    return server;
  }

  override async listen(): Promise<number> {
    const port = await super.listen();
    this.origin.start((ms, action) => this.every(ms, action));
    return port;
  }

  protected onDurable(batch: LogBatch): void {
    this.origin.processor.commit(batch.buf, batch.lastZxid);
    this.countApplied(batch.count, batch.used);
  }
}
