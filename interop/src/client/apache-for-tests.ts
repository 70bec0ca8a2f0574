// Apache's server for the client's own tests: see packages/client/test/support.ts.

import { nextPort } from '../ensemble/ports.js';
import { startApache } from '../servers/index.js';

/** Starts a server with these keys of zoo.cfg; those that Apache's reads elsewhere are put there. */
export async function start(
  settings: Record<string, string | number | boolean>,
): Promise<{ clientPort: number; close(): Promise<void> }> {
  const { clientPort, dataDir, preAllocSize, 'jute.maxbuffer': maxBuffer = 0xfffff, ...rest } = settings;
  const port = Number(clientPort) || (await nextPort());
  const cfg = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, String(value)]));
  const server = await startApache({
    dir: String(dataDir),
    port,
    cfg,
    props: { 'zookeeper.preAllocSize': String(preAllocSize), 'jute.maxbuffer': String(maxBuffer) },
  });
  return { clientPort: port, close: () => server.stop() };
}
