// Where transactions are made, on a standalone server and on a leader: the processor, all sessions with their expiry, containers.

import type { SessionOwner } from './request/client.js';
import { ContainerManager } from './request/containers.js';
import { OriginatingProcessor, type Proposals } from './request/originating.js';
import type { Preparer } from './request/prepare.js';
import type { Server } from './server.js';
import { Session, SessionTable } from './session/session-table.js';

const EXPIRY_CHECK_MS = 100;
/** A process that comes so late to a check stood still (SIGSTOP, a machine that was moved). Milliseconds. */
const STOOD_STILL_MS = 500;
/** Of so many ticks one may be given after such a halt: an overloaded server is late all the time. */
const TICKS_A_GRACE = 10;
const CONTAINER_STEP_MS = 100;

export class Origin {
  readonly sessions: SessionTable<SessionOwner>;
  readonly processor: OriginatingProcessor;
  private readonly server: Server;
  private readonly containers: ContainerManager;
  private expiryCheckedAt = 0;
  /** Until then no session expires. */
  private graceUntil = Number.NEGATIVE_INFINITY;

  constructor(server: Server, proposals: Proposals, preparer: Preparer) {
    const { config, database } = server;
    this.server = server;
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
    this.containers = new ContainerManager(database.tree, this.processor, config.containerMaxNeverUsedInterval);
  }

  /** Takes over the sessions that the database knows, each alive from now on. */
  takeOverSessions(): void {
    const { port, database } = this.server;
    port.beginTurn();
    const { tree, sessionTimeouts } = database;
    for (const [id, timeout] of sessionTimeouts) this.sessions.track(id, timeout, port.now).committed = true;
    this.server.followSessions(this.sessions);
    // Ephemerals whose session is not known any more go, through the log like everything else.
    for (const owner of [...tree.ephemeralOwners()]) {
      if (!sessionTimeouts.has(owner)) this.processor.closeSession(new Session<SessionOwner>(owner, 0));
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
    const { config, stats } = this.server;
    this.expiryCheckedAt = this.server.port.now;
    every(EXPIRY_CHECK_MS, () => {
      if (this.mayExpire()) stats.staleSessionsExpired += this.processor.expireSessions();
    });
    every(config.containerCheckInterval, () => this.containers.collect(this.processor.wallTime));
    const perStep = Math.max(1, Math.floor((config.containerMaxPerMinute * CONTAINER_STEP_MS) / 60_000));
    every(CONTAINER_STEP_MS, () => this.containers.deleteSome(perStep));
  }

  /**
   * After this server stood still, signs of life of clients and learners are waiting to be read, and learners have to be asked for
   * more: nobody is taken for dead before there was a tick of time for that.
   */
  private mayExpire(): boolean {
    const { port, config } = this.server;
    const { now } = port;
    const stood = now - this.expiryCheckedAt > STOOD_STILL_MS;
    this.expiryCheckedAt = now;
    if (stood && now > this.graceUntil + TICKS_A_GRACE * config.tickTime) this.graceUntil = now + config.tickTime;
    return now >= this.graceUntil;
  }
}
