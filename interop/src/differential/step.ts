// What a sequence is made of. Steps are data: they can be sent to two servers, shown, and left out one by one.

import { OpCode, opName } from '@nodekeeper/protocol';
import { parseMulti } from '../servers/harmful.js';

/** Connections of a sequence. */
export const CONNECTIONS = 3;

export interface RequestStep {
  readonly kind: 'request';
  readonly conn: number;
  readonly op: number;
  readonly xid: number;
  readonly body: Buffer;
  /** Sent in one write with the next request of the same connection, without waiting for the answer. */
  readonly hold: boolean;
  /** Where in the body a zxid stands that is to be relative to the server's zxid at the sequence's begin. */
  readonly zxidAt?: number;
}

export interface ConnectStep {
  readonly kind: 'connect';
  readonly conn: number;
  /** A new session, one that never was, or the session that this connection had last. */
  readonly session: 'new' | 'unknown' | number;
  readonly password: 'right' | 'wrong' | 'null' | 'empty' | 'long';
  readonly timeout: number;
  readonly protocolVersion: number;
  /** lastZxidSeen: 0, the server's own at the begin, far ahead of it, or negative. */
  readonly seen: 'zero' | 'base' | 'ahead' | 'negative';
  /** What follows the password: nothing, the readOnly byte, or the byte and more. */
  readonly tail: Buffer;
}

/** Bytes that make every server close the connection. */
export interface RawStep {
  readonly kind: 'raw';
  readonly conn: number;
  readonly what: string;
  readonly bytes: Buffer;
  /** On a new connection without a session, instead of the one that is open. */
  readonly fresh: boolean;
}

export type Step = RequestStep | ConnectStep | RawStep;

/** A step in a line for people. */
export function showStep(step: Step): string {
  const conn = `conn${step.conn}`;
  if (step.kind === 'raw') return `${conn} ${step.fresh ? 'new connection, ' : ''}sends ${step.what}`;
  if (step.kind === 'connect') {
    const whose = typeof step.session === 'number' ? `the session of conn${step.session}` : `${step.session} session`;
    return `${conn} connects: ${whose}, password ${step.password}, timeout ${step.timeout}, version ${step.protocolVersion}, zxid ${step.seen}, tail "${step.tail.toString('hex')}"`;
  }
  const text = step.body.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
  const at = step.zxidAt === undefined ? '' : ` (zxid at ${step.zxidAt} relative)`;
  const parts = step.op === OpCode.multi ? parseMulti(step.body) : undefined;
  const what =
    parts === undefined
      ? ''
      : `[${parts.map(({ type, flags }) => `${opName(type)}${flags === undefined ? '' : ` flags ${flags}`}`).join(', ')}]`;
  return `${conn} ${opName(step.op)}${what} xid=${step.xid}${step.hold ? ' +' : ''} ${text} (${step.body.toString('hex')})${at}`;
}
