// A server on its own: what its log reports as durable is committed.

import type { ServerConfig } from './config/index.js';
import type { SessionOwner } from './request/client.js';
import { ContainerManager } from './request/containers.js';
import { OriginatingProcessor } from './request/originating.js';
import { type Opened, openData, Server, type ServerOptions } from './server.js';
import { Session, SessionTable } from './session/session-table.js';
import type { LogBatch } from './storage/txn-log.js';

const EXPIRY_CHECK_MS = 100;
const CONTAINER_STEP_MS = 100;

/** A server with its data recovered. `listen` opens it to clients. */
export class StandaloneServer extends Server {
  readonly mode = 'standalone';
  private readonly processor: OriginatingProcessor;
  private readonly containers: ContainerManager;

  private constructor(config: ServerConfig, opened: Opened, options: ServerOptions) {
    super(config, opened, options);
    const { tree } = this.database;
    const sessions = new SessionTable<SessionOwner>(config.tickTime);
    this.processor = new OriginatingProcessor(
      tree,
      sessions,
      this.newPreparer(),
      this.newReads(),
      {
        propose: (write, buf, length) => {
          write.start = this.log.append(buf.subarray(0, length), write.zxid);
          write.end = write.start + length;
        },
      },
      this.processorHooks,
      this.processorOptions,
    );
    this.containers = new ContainerManager(tree, this.processor, config.containerMaxNeverUsedInterval);
    this.port.serve({ tree, sessions, processor: this.processor });
    this.takeOverSessions(sessions);
  }

  /**
   * Recovers the data and prepares a server.
   * @throws StorageError if the data cannot be used, saying why and what to do
   */
  static async open(config: ServerConfig, options: ServerOptions = {}): Promise<StandaloneServer> {
    const opened = await openData(config, options);
    const server = new StandaloneServer(config, opened, options);
    const { fresh, replayed, snapshotZxid } = opened.recovered;
    if (fresh) await server.writeSnapshot();
    else server.stats.lastSnapshot = { zxid: snapshotZxid, at: server.runtime.wallTime() };
    if (replayed > 0) server.startSnapshot();
    return server;
  }

  override async listen(): Promise<number> {
    const port = await super.listen();
    const { config, processor } = this;
    this.every(EXPIRY_CHECK_MS, () => {
      this.stats.staleSessionsExpired += processor.expireSessions();
    });
    this.every(config.containerCheckInterval, () => this.containers.collect(processor.wallTime));
    const perStep = Math.max(1, Math.floor((config.containerMaxPerMinute * CONTAINER_STEP_MS) / 60_000));
    this.every(CONTAINER_STEP_MS, () => this.containers.deleteSome(perStep));
    return port;
  }

  private takeOverSessions(sessions: SessionTable<SessionOwner>): void {
    this.port.beginTurn();
    const { tree, sessionTimeouts } = this.database;
    for (const [id, timeout] of sessionTimeouts) sessions.track(id, timeout, this.port.now).committed = true;
    this.followSessions(sessions);
    // Ephemerals whose session is not known any more go, through the log like everything else.
    for (const owner of [...tree.ephemeralOwners()]) {
      if (!sessionTimeouts.has(owner)) this.processor.closeSession(new Session<SessionOwner>(owner, 0));
    }
    this.log.flush();
  }

  protected onDurable(batch: LogBatch): void {
    this.processor.commit(batch.buf, batch.lastZxid);
    this.countApplied(batch.count, batch.used);
  }
}
