// What a server without a quorum answers (readonlymode.enabled): reads, from its own last state, to clients that agreed to it.

import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import type { Session } from '../session/session-table.js';
import type { Client, SessionOwner } from './client.js';
import { PendingWrite, type WaitingRead } from './fifo.js';
import { RequestProcessor } from './processor.js';

export class ReadOnlyProcessor extends RequestProcessor {
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

  protected revalidateGlobal(client: Client): void {
    client.close('without a quorum a session of the ensemble cannot go on here');
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
