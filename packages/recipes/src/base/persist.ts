// Calls that go on over lost connections, as long as the session they are meant for lives.

import { type Client, type Data, ErrorCode, isKeeperError, KeeperError } from '@nodekeeper/client';
import { onStateChange } from './session-hub.js';
import { AnyOf, deferred, pause, unlessAborted } from './wait.js';

/** Pause after the first lost connection, and at most, in milliseconds. Calls wait for a connection by themselves. */
const FIRST_PAUSE = 5;
const MAX_PAUSE = 1000;

/** Milliseconds to wait after so many failures. */
export function pauseAfter(attempt: number): number {
  return Math.min(MAX_PAUSE, FIRST_PAUSE * 2 ** Math.min(attempt - 1, 16));
}

/** Failures that another try mends: no connection, a server that is too busy to begin, or that takes no writes at present. */
export function isPassing(error: unknown): error is KeeperError {
  return (['ConnectionLoss', 'ThrottledOp', 'NotReadOnly'] as const).some((name) => isKeeperError(error, name));
}

/**
 * Makes the call until it is answered. For reads, and for what may be done twice.
 * Rejects with the server's errors, with SessionExpired, Closed, AuthFailed, or the signal's reason.
 */
export async function persist<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await pause(pauseAfter(attempt), signal);
    }
  }
}

/** The same over the end of sessions: for what concerns no session. Rejects with Closed when the client is at its end. */
export async function persistOverSessions<T>(
  client: Client,
  action: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await persist(action, signal);
    } catch (error) {
      if (!isKeeperError(error, 'SessionExpired') || client.isOver) throw error;
    }
  }
}

/** The same for what may be given up at any time, as it changes nothing, or nothing that matters. */
export async function persistUntil<T>(
  client: Client,
  action: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal !== undefined) await untilConnected(client, signal);
  return unlessAborted(persistOverSessions(client, action, signal), signal);
}

/**
 * Waits before the next try of a write that can be given up; `attempt` have failed with lost connections. Rejects with the signal's
 * reason; or with `doubt`, the error of a try that may have been executed.
 */
export async function untilNextTry(
  client: Client,
  attempt: number,
  signal: AbortSignal | undefined,
  doubt?: KeeperError,
): Promise<void> {
  try {
    await pause(pauseAfter(attempt), signal);
    if (signal !== undefined) await untilConnected(client, signal);
  } catch (reason) {
    throw signal?.aborted ? (doubt ?? reason) : reason;
  }
}

/** The same in this one session: for what would be about another's node in the next. Then rejects with SessionExpired. */
export function persistInSession<T>(client: Client, session: bigint, action: () => Promise<T>): Promise<T> {
  return persist(async () => {
    checkSession(client, session);
    return action();
  });
}

/** So many connections may be lost one after the other with the same write on its way. */
export const MAX_LOST_WRITES = 6;

/** No server is made to take less than so many bytes. */
const SURELY_TAKEN = 1024;

/**
 * So many connections may be lost with a write of what a caller brings along: it is not repeated without end, as one that is
 * larger than the server takes costs a connection each time. What is that small is not to blame.
 */
export function lossesAllowed(data: Data | undefined): number {
  return (data?.length ?? 0) > SURELY_TAKEN ? MAX_LOST_WRITES : Number.POSITIVE_INFINITY;
}

/** How a write goes on. */
export interface WriteOptions {
  /** Only in this one, for what would be about another's node in the next: then it rejects with SessionExpired. */
  readonly session?: bigint | undefined;
  /** So many connections may be lost with it on its way; {@link MAX_LOST_WRITES} if not given. */
  readonly losses?: number | undefined;
  /** Ends the waiting for a connection, and the tries. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The same for a write of what a caller brings along, be it done twice. When too many connections were lost it rejects with the
 * last ConnectionLoss, whose `outcomeUnknown` is true.
 */
export async function persistWrite<T>(
  client: Client,
  write: () => Promise<T>,
  { session, losses = MAX_LOST_WRITES, signal }: WriteOptions = {},
): Promise<T> {
  let lost = 0;
  let doubt: KeeperError | undefined;
  if (signal !== undefined) await untilConnected(client, signal);
  for (let attempt = 1; ; attempt++) {
    try {
      if (session !== undefined) checkSession(client, session);
      return await write();
    } catch (error) {
      const isNextSession = session === undefined && isKeeperError(error, 'SessionExpired') && !client.isOver;
      if (!isNextSession && !isPassing(error)) throw error;
      if (error.outcomeUnknown && ++lost === losses) throw error;
      if (error.outcomeUnknown) doubt = error;
      await untilNextTry(client, attempt, signal, doubt);
    }
  }
}

/** Throws SessionExpired if the session is another one by now. */
function checkSession(client: Client, session: bigint): void {
  if (client.sessionId !== session) throw new KeeperError(ErrorCode.SessionExpired, 'recipe');
}

/**
 * Has the node gone: deletes it for sure, as Curator's guaranteed deletion. Resolves also if it is not there, or if it was
 * ephemeral and its session is over. Given a session, it is deleted in that one only: of a name that is not unique the next
 * session may find another's node.
 */
export async function deleteForSure(client: Client, path: string, session?: bigint): Promise<void> {
  const erase = (): Promise<void> => client.delete(path);
  try {
    await (session === undefined ? persist(erase) : persistInSession(client, session, erase));
  } catch (error) {
    if (isKeeperError(error, 'NoNode') || isSessionOver(error)) return;
    throw error;
  }
}

/**
 * The same for who gives up and does not want to wait for a connection: resolves when the node is deleted, or when there is
 * no connection; then it will be deleted once there is one. Never rejects.
 */
export async function deleteSoon(client: Client, path: string): Promise<void> {
  await whileConnected(
    client,
    deleteForSure(client, path).catch(() => {}),
  );
}

/**
 * For who gives up or closes: settles as what is left to do does, or resolves when there is no connection to do it, or one for
 * reads only; then it is done once there is one, and nobody hears of its failure.
 */
export async function whileConnected(client: Client, rest: Promise<unknown>): Promise<void> {
  rest.catch(() => {});
  if (client.state !== 'connected') return;
  const lost = deferred();
  const forget = onStateChange(client, () => lost.resolve());
  try {
    await Promise.race([rest, lost.promise]);
  } finally {
    forget();
  }
}

/** Why a {@link Link} is aborted. */
export const AWAY = new Error('there is no connection');

/** A signal that is aborted with {@link AWAY} when there is no connection for writes, or as `also` is. It must be disposed. */
export class Link implements Disposable {
  private readonly both: AnyOf;
  private readonly forget: () => void;

  constructor(client: Client, also: AbortSignal) {
    const away = new AbortController();
    const cut = (): void => away.abort(AWAY);
    this.forget = onStateChange(client, cut);
    if (client.state !== 'connected') cut();
    this.both = new AnyOf(also, away.signal);
  }

  get signal(): AbortSignal {
    return this.both.signal;
  }

  [Symbol.dispose](): void {
    this.forget();
    this.both[Symbol.dispose]();
  }
}

/** Resolves when a call leaves at once: who gives up before has sent nothing. Rejects with the signal's reason, or Closed. */
export async function untilConnected(client: Client, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (!client.isConnected) await client.connected({ signal });
}

/** Whether the session that the call was made for is no more. */
export function isSessionOver(error: unknown): boolean {
  return isKeeperError(error, 'SessionExpired') || isKeeperError(error, 'Closed') || isKeeperError(error, 'AuthFailed');
}
