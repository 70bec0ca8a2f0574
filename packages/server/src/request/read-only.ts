// What a server without a quorum answers (readonlymode.enabled): reads, from its own last state, to clients that agreed to it.

import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import type { Session, SessionTable } from '../session/session-table.js';
import type { DataTree } from '../tree/data-tree.js';
import type { Client, SessionOwner } from './client.js';
import { PendingWrite, type WaitingRead } from './fifo.js';
import { type ProcessorHooks, type ProcessorOptions, RequestProcessor } from './processor.js';
import type { Reads } from './reads.js';

export class ReadOnlyProcessor extends RequestProcessor {
  private readonly mayLive: (session: bigint) => boolean;

  /** @param mayLive whether the ensemble may know the session */
  constructor(
    tree: DataTree,
    sessions: SessionTable<SessionOwner>,
    mayLive: (session: bigint) => boolean,
    reads: Reads,
    hooks: ProcessorHooks,
    options: ProcessorOptions,
  ) {
    super(tree, sessions, reads, hooks, options);
    this.mayLive = mayLive;
  }

  override submit(client: Client, xid: number, op: number, buf: Buffer, start: number, end: number): void {
    if (op === OpCode.sync || op === OpCode.check) this.refuse(client, xid, op);
    else super.submit(client, xid, op, buf, start, end);
  }

  protected submitWrite(client: Client, _session: Session<SessionOwner>, xid: number, op: number): number {
    this.refuse(client, xid, op);
    return 0;
  }

  private refuse(client: Client, xid: number, op: number): void {
    this.answerHere(
      client,
      new PendingWrite(client, xid, op, 0, ErrorCode.NotReadOnly, this.now),
      ErrorCode.NotReadOnly,
    );
  }

  /** Only sessions of this server's own can begin here. */
  protected createGlobalSession(client: Client): void {
    client.close('without a quorum sessions begin only where local sessions are enabled (localSessionsEnabled)');
  }

  /** A session that only one server knew ended with that server's role: told so, its client begins a new one here. */
  protected revalidateGlobal(client: Client, id: bigint): void {
    if (this.mayLive(id)) client.close('without a quorum a session of the ensemble cannot go on here');
    else client.revalidated(false);
  }

  protected makeGlobal(): void {}

  /** No write is ever committed here. */
  probe(): void {}

  protected sync(_client: Client, _request: WaitingRead | null): boolean {
    return true;
  }

  /** Ends the sessions whose time is over. */
  expire(): void {
    for (const session of this.sessions.expiredLocal(this.now)) this.endLocal(session);
  }
}
