// Creating nodes exactly once, and the containers above them.

import { randomUUID } from 'node:crypto';
import {
  type Acl,
  type Client,
  type CreatedNode,
  type CreateSettings,
  ErrorCode,
  isKeeperError,
  KeeperError,
} from '@nodekeeper/client';
import { join, parentOf } from './paths.js';
import {
  deleteForSure,
  isPassing,
  lossesAllowed,
  persist,
  persistUntil,
  untilConnected,
  untilNextTry,
  whileConnected,
} from './persist.js';

/** The name of a node that Curator's `withProtection` would make: recognisable by its beginning. */
export function protectedName(name: string): string {
  return `_c_${randomUUID()}-${name}`;
}

/**
 * Creates a node exactly once although connections get lost: `name` begins with a mark of its own, by which the node is
 * found. What is missing above is made of containers. The first request leaves in the same turn as the call.
 * Rejects as the server does. An ephemeral node's session may end meanwhile, also in the pause between two tries:
 * SessionExpired. Others go on in the next one. Data that may be too large for the server is not sent without end: ConnectionLoss.
 * The signal ends the waiting for a connection, and the tries; see {@link untilNextTry}.
 */
export async function createOnce(
  client: Client,
  parent: string,
  name: string,
  settings: CreateSettings,
  signal?: AbortSignal,
): Promise<CreatedNode> {
  const isEphemeral = settings.mode?.startsWith('ephemeral') ?? false;
  const losses = lossesAllowed(settings.data);
  let lost = 0;
  let isInDoubt = false;
  let doubt: KeeperError | undefined;
  let session = client.sessionId;
  if (signal !== undefined) await untilConnected(client, signal);
  for (let attempt = 1; ; attempt++) {
    try {
      // What the caller has in the session, a turn for one, is gone with it. Without a session it is the next one's.
      if (isEphemeral && session !== 0n && client.sessionId !== session)
        throw new KeeperError(ErrorCode.SessionExpired, 'create', join(parent, name));
      session = client.sessionId;
      const found = isInDoubt ? await findMarked(client, parent, name) : undefined;
      if (found !== undefined) return found;
      return await client.create(join(parent, name), settings);
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) {
        await persistUntil(client, () => ensureContainers(client, parent, settings.acl), signal);
        if (signal !== undefined) await untilConnected(client, signal);
        continue;
      }
      const isNextSession = isKeeperError(error, 'SessionExpired') && !isEphemeral && !client.isOver;
      if (!isPassing(error) && !isNextSession) throw error;
      // A session's end leaves as open what became of a call as a connection's does.
      isInDoubt ||= error.outcomeUnknown || isNextSession;
      if (error.outcomeUnknown && ++lost === losses) throw error;
      if (error.outcomeUnknown) doubt = error;
      await untilNextTry(client, attempt, signal, doubt);
    }
  }
}

/**
 * Takes back what {@link createOnce} is about to make, or has made. Resolves when it is gone, or when there is no connection;
 * then it will go.
 */
export async function giveUp(client: Client, creating: Promise<CreatedNode>): Promise<void> {
  const gone = creating.then(({ path }) => deleteForSure(client, path)).catch(() => {});
  await whileConnected(client, gone);
}

/** Once this session is served by another server, what the old one had not passed on can no longer be executed. */
async function findMarked(client: Client, parent: string, name: string): Promise<CreatedNode | undefined> {
  await client.sync(parent);
  const { children } = await client.getChildren(parent);
  const child = children.find((candidate) => candidate.startsWith(name));
  if (child === undefined) return undefined;
  const path = join(parent, child);
  const stat = await client.exists(path);
  return stat === null ? undefined : { path, stat };
}

/** Has nodes at `path` and above; new ones are containers, which the server deletes once they are left without children. */
export async function ensureContainers(client: Client, path: string, acl?: readonly Acl[]): Promise<void> {
  if (path === '/') {
    await client.ensurePath('/', acl === undefined ? {} : { acl });
    return;
  }
  const access = acl === undefined ? {} : { acl };
  try {
    await persist(() => client.create(path, { mode: 'container', ...access }));
  } catch (error) {
    if (isKeeperError(error, 'NodeExists')) return;
    // Who may not create there is not told whether there is anything to create.
    if (isKeeperError(error, 'NoAuth') && (await persist(() => client.exists(path))) !== null) return;
    if (isKeeperError(error, 'NoNode')) {
      await ensureContainers(client, parentOf(path), acl);
      await ensureContainers(client, path, acl);
    } else if (isKeeperError(error, 'Unimplemented')) await client.ensurePath(path, access);
    else throw error;
  }
}
