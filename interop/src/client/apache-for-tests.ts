// Apache's server for the client's own tests: see packages/client/test/support.ts.

import { freePort, startApache } from '../servers/index.js';

/** Starts a server with these keys of zoo.cfg; `preAllocSize` and the data directory are put where Apache's wants them. */
export async function start(
  settings: Record<string, string | number | boolean>,
): Promise<{ clientPort: number; close(): Promise<void> }> {
  const { clientPort, dataDir, preAllocSize, ...rest } = settings;
  const port = Number(clientPort) || (await freePort());
  const cfg = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, String(value)]));
  const server = await startApache({
    dir: String(dataDir),
    port,
    cfg,
    props: { 'zookeeper.preAllocSize': String(preAllocSize) },
  });
  return { clientPort: port, close: () => server.stop() };
}
