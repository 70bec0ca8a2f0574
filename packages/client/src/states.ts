// The states of a session, as programs see them.

/**
 * `suspended`: the connection is lost, the session may still live, the outcome of calls under way is unknown.
 * `expired`: the server has ended the session, its ephemeral nodes are gone. A new session follows unless `renewSession`
 * is false; then, and with `authFailed` and `closed`, the client is at its end.
 */
export type SessionState =
  | 'connecting'
  | 'connected'
  | 'connectedReadOnly'
  | 'suspended'
  | 'expired'
  | 'authFailed'
  | 'closed';

export interface StateChange {
  readonly state: SessionState;
  readonly previous: SessionState;
  readonly sessionId: bigint;
  /** `address:port`, while connected. */
  readonly server: string | undefined;
  /** With `connected`: whether this is another session than the last one. */
  readonly isNewSession: boolean;
  /** Why the connection was lost, or the client has ended. */
  readonly reason: Error | undefined;
}
