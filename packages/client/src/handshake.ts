// The first frame each way of a connection: opens a session or takes one up again.

import { JuteReader, type JuteWriter } from '#protocol';

export interface SessionTicket {
  /** 0n for a new session. */
  readonly id: bigint;
  /** 16 bytes. */
  readonly password: Buffer;
}

export interface ConnectResponse extends SessionTicket {
  /** Negotiated session time-out in milliseconds; 0 or less: the session is no more. */
  readonly timeout: number;
  /** Whether the server itself serves reads only. */
  readonly readOnly: boolean;
}

export const NO_SESSION: SessionTicket = { id: 0n, password: Buffer.alloc(16) };

// ConnectRequest: int protocolVersion, long lastZxidSeen, int timeOut, long sessionId, buffer passwd, boolean readOnly
export function writeConnectRequest(
  w: JuteWriter,
  ticket: SessionTicket,
  lastZxid: number,
  timeout: number,
  readOnly: boolean,
): void {
  w.int(0).long53(lastZxid).int(timeout).long(ticket.id).buffer(ticket.password).bool(readOnly);
}

/** A reply header alone, where the response is due: what a read-only server without local sessions answers. */
const REFUSAL_BYTES = 16;

// ConnectResponse: int protocolVersion, int timeOut, long sessionId, buffer passwd, boolean readOnly (not from old servers)
/** Undefined if the server refuses to open a session. */
export function readConnectResponse(frame: Buffer): ConnectResponse | undefined {
  if (frame.length === REFUSAL_BYTES) return undefined;
  const r = new JuteReader(frame);
  r.int();
  const timeout = r.int();
  const id = r.long();
  const password = Buffer.from(r.buffer() ?? Buffer.alloc(16));
  return { timeout, id, password, readOnly: r.remaining > 0 && r.bool() };
}
