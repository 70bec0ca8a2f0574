// What the published types must say, as a strict program sees them; compiled and never run, as ESM and as CommonJS.

import {
  type Client,
  connect,
  exponentialBackoff,
  isKeeperError,
  KeeperError,
  type SessionState,
  type Stat,
} from '@nodekeeper/client';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only if the type of what is given is exactly T. */
function is<T>(): <V>(value: V, same: Same<V, T>) => void {
  return () => {};
}

export async function program(target: string): Promise<void> {
  await using client: Client = await connect(target, { retry: exponentialBackoff(10, 3, 1000), tls: { ca: '' } });
  const results = await client
    .transaction()
    .create('/a', { mode: 'ephemeral' })
    .setData('/a', 'x')
    .check('/a')
    .commit();
  is<string>()(results[0].path, true);
  is<Stat | undefined>()(results[0].stat, true);
  is<Stat>()(results[1], true);
  is<undefined>()(results[2], true);
  is<3>()(results.length, true);
  const [data, children] = await client.multiRead([
    { op: 'getData', path: '/a' },
    { op: 'getChildren', path: '/' },
  ]);
  if (!(data instanceof KeeperError)) is<Buffer | null>()(data.data, true);
  if (!(children instanceof KeeperError)) is<string[]>()(children, true);
  for await (const event of client.watch('/a', { recursive: true, signal: AbortSignal.timeout(1) })) {
    if (event.type === 'resync') is<'reconnected' | 'newSession' | 'overflow'>()(event.reason, true);
    else is<number | undefined>()(event.zxid, true);
  }
  for await (const { state } of client.states()) is<SessionState>()(state, true);
  client.on('expired', ({ sessionId }) => is<bigint>()(sessionId, true));
  is<Stat | null>()(await client.exists('/a', { timeout: 1 }), true);
  try {
    // @ts-expect-error no such mode
    await client.create('/b', { mode: 'sticky' });
  } catch (error) {
    if (isKeeperError(error, 'NodeExists')) is<boolean>()(error.outcomeUnknown, true);
  }
}
