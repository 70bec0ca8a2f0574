// Where transactions are made, on a standalone server and on a leader: the processor, all sessions with their expiry, containers.

import type { SessionOwner } from './request/client.js';
import { ContainerManager, STEP_MS } from './request/containers.js';
import { OriginatingProcessor, type Proposals } from './request/originating.js';
import type { Preparer } from './request/prepare.js';
import type { Server } from './server.js';
import { Patience } from './session/patience.js';
import { Session, SessionTable } from './session/session-table.js';

const EXPIRY_CHECK_MS = 100;

export class Origin {
  readonly sessions: SessionTable<SessionOwner>;
  readonly processor: OriginatingProcessor;
  private readonly server: Server;
  private readonly containers: ContainerManager;

  constructor(server: Server, proposals: Proposals, preparer: Preparer) {
    const { config, database } = server;
    this.server = server;
    database.tree.compareDigestsFromNow();
    this.sessions = new SessionTable<SessionOwner>(config.tickTime);
    this.processor = new OriginatingProcessor(
      database.tree,
      this.sessions,
      preparer,
      server.newReads(),
      proposals,
      server.processorHooks,
      server.processorOptions,
    );
    this.containers = new ContainerManager(
      database.tree,
      this.processor,
      config.containerMaxNeverUsedInterval,
      config.containerMaxPerMinute,
    );
  }

  /** Takes over the sessions that the database knows, each alive from now on. */
  takeOverSessions(): void {
    const { port, database } = this.server;
    port.beginTurn();
    const { tree, sessionTimeouts } = database;
    for (const [id, timeout] of sessionTimeouts) this.sessions.track(id, timeout, port.now);
    this.server.followSessions(this.sessions);
    // Ephemerals whose session is not known any more go, through the log like everything else.
    let kept = 0;
    for (const owner of [...tree.ephemeralOwners()]) {
      if (sessionTimeouts.has(owner)) continue;
      if (tree.ownsTtlNodes(owner)) kept++;
      else this.processor.closeSession(new Session<SessionOwner>(owner, 0));
    }
    if (kept > 0) {
      this.server.logger.error(
        { owners: kept },
        'there are nodes with a time to live, but extendedTypesEnabled is not true: until it is, they stay, and nothing can be created below them',
      );
    }
  }

  /** Ends a session as if its time were over; false if it is not known. */
  expire(id: bigint): boolean {
    const session = this.sessions.get(id);
    if (session === undefined || session.closing) return false;
    this.processor.closeSession(session);
    return true;
  }

  /** Begins what time does. `every` does something at an interval, in milliseconds. */
  start(every: (ms: number, action: () => void) => void): void {
    const { config, stats, port } = this.server;
    const patience = new Patience(config.tickTime, port.now);
    every(EXPIRY_CHECK_MS, () => {
      port.hearHeld();
      if (patience.mayExpire(port.now)) stats.staleSessionsExpired += this.processor.expireSessions();
    });
    every(config.containerCheckInterval, () => {
      this.containers.collect(this.processor.wallTime);
      this.containers.deleteSome(port.now);
    });
    every(STEP_MS, () => this.containers.deleteSome(port.now));
  }
}
